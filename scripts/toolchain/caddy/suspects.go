package main

import (
	"sync"
	"time"
)

// How long an instance that refused a connection is passed over: twice as long each time, until it accepts one.
const (
	suspectFor     = time.Second
	longestSuspect = 8 * time.Second
)

// suspects are instances that refused a connection; what is known of one is replaced as a whole.
type suspects struct {
	byAddress sync.Map // address -> suspicion
}

type suspicion struct {
	until  time.Time
	length time.Duration
}

func (s *suspects) has(address string, now time.Time) bool {
	found, ok := s.byAddress.Load(address)
	return ok && now.Before(found.(suspicion).until)
}

// refused counts once however many requests are refused at the same time.
func (s *suspects) refused(address string, now time.Time) {
	length := suspectFor
	if found, ok := s.byAddress.Load(address); ok {
		before := found.(suspicion)
		if now.Before(before.until) {
			return
		}
		length = min(2*before.length, longestSuspect)
	}
	s.byAddress.Store(address, suspicion{now.Add(length), length})
}

func (s *suspects) accepted(address string) {
	if _, ok := s.byAddress.Load(address); ok {
		s.byAddress.Delete(address)
	}
}

// keep drops those that are not present.
func (s *suspects) keep(present map[string]bool) {
	s.byAddress.Range(func(address, _ any) bool {
		if !present[address.(string)] {
			s.byAddress.Delete(address)
		}
		return true
	})
}
