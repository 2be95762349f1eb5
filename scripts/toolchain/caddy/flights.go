package main

import (
	"sync"
	"sync/atomic"
	"time"
)

const longestLook = 50 * time.Millisecond

// place is an instance, whatever its weight.
type place struct{ release, address string }

// flights counts the requests of one service that are not answered yet.
type flights struct {
	counts   sync.Map     // place -> *atomic.Int64
	choosing atomic.Int64 // requests that have no instance yet, or look for another one
}

// at counts the requests that an instance is answering.
func (f *flights) at(one place) *atomic.Int64 {
	found, ok := f.counts.Load(one)
	if !ok {
		found, _ = f.counts.LoadOrStore(one, new(atomic.Int64))
	}
	return found.(*atomic.Int64)
}

// busy gives the instances that are answering requests, and how many, also when they have left the registry.
func (f *flights) busy() map[place]int64 {
	found := make(map[place]int64)
	f.counts.Range(func(key, count any) bool {
		if now := count.(*atomic.Int64).Load(); now > 0 {
			found[key.(place)] = now
		}
		return true
	})
	return found
}

// undecided are requests of which nobody can tell yet whom they will go to. There is none as soon as there was a moment
// without any that was choosing: who comes later goes by what is known now. Where all instances refuse, and requests
// wait to try them again, there is no such moment for long, and the number is told.
func (f *flights) undecided() int64 {
	for range longestLook / time.Millisecond {
		if f.choosing.Load() == 0 {
			return 0
		}
		time.Sleep(time.Millisecond)
	}
	return f.choosing.Load()
}

// keep drops the counters of addresses that are gone and idle.
func (f *flights) keep(present map[string]bool) {
	f.counts.Range(func(key, count any) bool {
		if !present[key.(place).address] && count.(*atomic.Int64).Load() == 0 {
			f.counts.Delete(key)
		}
		return true
	})
}
