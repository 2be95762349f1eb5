package main

import (
	"context"
	"net/url"
	"time"
)

// watch keeps the instances of one service up to date until the context ends.
type watch struct {
	consul    *consul
	permitted permitted
	service   string
	known     []instance
	doubtful  map[string]bool // addresses that the registry has not listed since it was away
	keepUntil time.Time
	refused   map[string]bool // addresses that were registered and are not permitted
	changed   func([]instance)
	warn      func(address string, err error) // once for each that is refused
}

func (w *watch) run(ctx context.Context, failed func(error)) {
	w.doubt() // what is known comes from a file: the registry may be starting, too
	follow(ctx, func(index uint64) (uint64, error) { return w.read(ctx, index) }, failed)
}

// doubt begins the time in which instances are kept though the registry does not list them.
func (w *watch) doubt() {
	w.keepUntil = time.Now().Add(keepMissingFor)
	w.doubtful = make(map[string]bool, len(w.known))
	for _, one := range w.known {
		w.doubtful[one.Address] = true
	}
}

func (w *watch) read(ctx context.Context, index uint64) (uint64, error) {
	wait := blockFor
	if left := time.Until(w.keepUntil); left > 0 && len(w.doubtful) > 0 {
		wait = min(wait, left+time.Second)
	}
	var entries []healthEntry
	// Not with ?passing: an instance that is known to be critical is to go at once, one that is absent may not be.
	next, err := w.consul.get(ctx, "/v1/health/service/"+url.PathEscape(w.service), index, wait, &entries)
	if err != nil {
		w.doubt()
		return 0, err
	}
	if next < index { // the manual: the index went back, so the registry was reset
		w.doubt()
		next = 0
	}
	w.take(entries)
	return next, nil
}

func (w *watch) take(entries []healthEntry) {
	if len(entries) == 0 && w.isAnyConfirmed() {
		w.doubt() // all at once is more likely a registry, a node or a token that was lost
	}
	found := w.usable(entries)
	if time.Now().Before(w.keepUntil) {
		for _, old := range w.known {
			if w.doubtful[old.Address] {
				old.Unconfirmed = true
				found = append(found, old)
			}
		}
	}
	w.known = found
	w.changed(found)
}

func (w *watch) isAnyConfirmed() bool {
	for _, one := range w.known {
		if !one.Unconfirmed {
			return true
		}
	}
	return false
}

// usable gives the instances that may get requests. None that is listed is doubtful any more, however it is.
func (w *watch) usable(entries []healthEntry) []instance {
	found := make([]instance, 0, len(entries))
	listed, refused := make(map[string]bool, len(entries)), make(map[string]bool)
	for _, entry := range entries {
		address := entry.address()
		delete(w.doubtful, address)
		if listed[address] || !entry.isPassing() || !entry.isOfADX() {
			continue
		}
		if err := w.permitted.check(entry.host(), entry.Service.Port); err != nil {
			if refused[address] = true; !w.refused[address] && w.warn != nil {
				w.warn(address, err)
			}
			continue
		}
		listed[address] = true
		found = append(found, entry.instance())
	}
	w.refused = refused
	return found
}
