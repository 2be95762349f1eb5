package main

import (
	"testing"
	"time"
)

func TestOneMomentWithoutAnybodyChoosingIsWaitedFor(t *testing.T) {
	var f flights
	f.choosing.Add(1)
	go func() {
		time.Sleep(5 * time.Millisecond)
		f.at(place{"blue", "a"}).Add(1) // counted before it stops choosing
		f.choosing.Add(-1)
	}()
	if f.undecided() != 0 || f.busy()[place{"blue", "a"}] != 1 {
		t.Fatal(f.busy())
	}
}

func TestWhoNeverStopsChoosingIsTold(t *testing.T) {
	var f flights
	f.choosing.Add(2)
	if f.undecided() != 2 {
		t.Fatal(f.choosing.Load())
	}
}

func TestCountersOfGoneInstancesAreKeptWhileTheyAreBusy(t *testing.T) {
	var f flights
	f.at(place{"blue", "a"}).Add(1)
	f.at(place{"blue", "b"})
	f.keep(map[string]bool{"c": true})
	if len(f.busy()) != 1 {
		t.Fatal(f.busy())
	}
	f.at(place{"blue", "a"}).Add(-1)
	f.keep(map[string]bool{"c": true})
	if _, ok := f.counts.Load(place{"blue", "a"}); ok {
		t.Fatal("it is gone and idle")
	}
}
