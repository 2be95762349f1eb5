package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How long a request waits once every instance has refused its connection, before it tries them all again.
const (
	shortestWait = 100 * time.Millisecond
	longestWait  = 250 * time.Millisecond
)

// service is what the gateway knows of one service. Requests only read it;
// splits and instances are swapped in one step.
type service struct {
	name      string
	split     atomic.Pointer[split]
	instances atomic.Pointer[instances]
	suspects  suspects
	flights   flights
	mirroring atomic.Int64  // copies under way
	ready     chan struct{} // closed once the instances are known
	isReady   sync.Once
	stop      func()
}

func newService(name string) *service {
	return &service{name: name, ready: make(chan struct{}), stop: func() {}}
}

func (s *service) setInstances(found *instances) {
	s.instances.Store(found)
	s.isReady.Do(func() { close(s.ready) })
}

// has says whether a release can take a request.
func (s *service) has(release string) bool { return s.instances.Load().of(release) != nil }

// tidy drops the counters and suspicions of instances that are gone.
func (s *service) tidy() {
	present := make(map[string]bool)
	if known := s.instances.Load(); known != nil {
		for _, one := range known.list {
			present[one.Address] = true
		}
	}
	s.flights.keep(present)
	s.suspects.keep(present)
}

// decision is where one request goes. A request is one goroutine: nothing here is shared.
type decision struct {
	service    *service
	split      *split
	release    string // chosen; empty without a split: then any instance will do
	isTester   bool
	instance   instance // the one tried last
	isChoosing bool
	counter    *atomic.Int64 // of that instance, while it is counted there
	tried      []string      // addresses that refused a connection
	retries    int
}

// decide chooses the release for a request; nil when no release that may serve has a healthy instance. The request
// counts as choosing, from before the split is read until next gives it an instance or it lands.
func (s *service) decide(r *http.Request) *decision {
	s.flights.choosing.Add(1)
	made := s.choose(r)
	if made == nil {
		s.flights.choosing.Add(-1)
		return nil
	}
	made.isChoosing = true
	return made
}

func (s *service) choose(r *http.Request) *decision {
	made := &decision{service: s, split: s.split.Load()}
	if made.split == nil {
		if !s.has("") {
			return nil
		}
		return made
	}
	if t := made.split.Testers; t != nil && r.Header.Get(t.Header) == t.Value && s.has(t.Release) {
		made.release, made.isTester = t.Release, true
		return made
	}
	if made.release = made.byStickiness(r); made.release == "" {
		made.release = made.split.picker.next()
	}
	if !s.has(made.release) {
		made.release = made.another([]string{made.release})
	}
	if made.release == "" && s.has(made.split.Fallback) {
		made.release = made.split.Fallback
	}
	if made.release == "" {
		return nil
	}
	return made
}

// cookieName has the service in it: in path mode services share a host, and so their cookies.
func (s *service) cookieName(rule *sticky) string { return rule.Cookie + "-" + s.name }

// byStickiness is the release that the client was at; empty when it may not stay there, or is new.
func (d *decision) byStickiness(r *http.Request) string {
	rule := d.split.Sticky
	if rule == nil {
		return ""
	}
	if rule.Cookie != "" {
		cookie, err := r.Cookie(d.service.cookieName(rule))
		if err != nil || d.split.Releases[cookie.Value] == 0 || !d.service.has(cookie.Value) {
			return ""
		}
		return cookie.Value
	}
	value := r.Header.Get(rule.Header)
	if value == "" {
		return ""
	}
	var without []string
	for {
		chosen := d.split.picker.byHash(value, without)
		if chosen == "" || d.service.has(chosen) {
			return chosen
		}
		without = append(without, chosen)
	}
}

// another is the heaviest release with a weight and an instance that is not in without; empty when there is none.
func (d *decision) another(without []string) string {
	for _, name := range d.split.others(without) {
		if d.service.has(name) {
			return name
		}
	}
	return ""
}

// next is the instance to try now. When it is asked again, the last one refused the connection: then another of the
// same release, else of another release with a weight, else of the fallback; when all have refused, after a wait
// all of them once more.
func (d *decision) next(ctx context.Context) (instance, bool) {
	d.refused()
	found, ok := d.untried()
	if !ok && len(d.tried) > 0 {
		sleep(ctx, shortestWait+rand.N(longestWait-shortestWait)) // else thousands would try thousands of times
		d.tried = d.tried[:0]
		found, ok = d.untried()
	}
	if !ok {
		return instance{}, false
	}
	d.instance, d.counter = found, d.service.flights.at(place{found.Release, found.Address})
	d.counter.Add(1)
	d.chosen() // after it was counted: at no moment is it neither
	return found, true
}

func (d *decision) chosen() {
	if d.isChoosing {
		d.isChoosing = false
		d.service.flights.choosing.Add(-1)
	}
}

func (d *decision) untried() (instance, bool) {
	if found, ok := d.fromRelease(d.release); ok || d.split == nil {
		return found, ok
	}
	without := []string{d.release}
	for name := d.another(without); name != ""; name = d.another(without) {
		if found, ok := d.fromRelease(name); ok {
			return found, true
		}
		without = append(without, name)
	}
	if d.split.Fallback == "" {
		return instance{}, false
	}
	return d.fromRelease(d.split.Fallback)
}

func (d *decision) fromRelease(release string) (instance, bool) {
	members := d.service.instances.Load().of(release)
	if members == nil {
		return instance{}, false
	}
	hasRefused := func(one instance) bool { return slices.Contains(d.tried, one.Address) }
	now := time.Now()
	found, ok := members.next(func(one instance) bool {
		return hasRefused(one) || d.service.suspects.has(one.Address, now)
	})
	if ok {
		return found, true
	}
	return members.next(hasRefused)
}

// refused takes note that the instance tried last could not be connected to.
func (d *decision) refused() {
	if d.counter == nil {
		return
	}
	d.service.flights.choosing.Add(1)
	d.land()
	d.isChoosing = true
	d.retries++
	d.tried = append(d.tried, d.instance.Address)
	d.service.suspects.refused(d.instance.Address, time.Now())
	retriesTotal.WithLabelValues(d.service.name, label(d.instance.Release)).Inc()
}

// land ends what decide and next began: nobody is busy with this request any more.
func (d *decision) land() {
	d.chosen()
	if d.counter != nil {
		d.counter.Add(-1)
		d.counter = nil
	}
}

// served is the release that the request ended at.
func (d *decision) served() string {
	if d.instance.Address == "" {
		return d.release
	}
	return d.instance.Release
}
