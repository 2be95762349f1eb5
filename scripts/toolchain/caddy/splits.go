package main

import "errors"

var (
	errConflict = errors.New("the split was changed by somebody else meanwhile")
	errNoSplit  = errors.New("there is no split of this service")
)

// put replaces the split of a service: saved first, then used by the next request.
// ifMatch is an entity tag that the present split must have, "*" for any; empty: no condition.
func (g *gateway) put(name string, made *split, ifMatch string, mustBeNew bool) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	present := g.splits()
	if before := present[name]; before != nil && before.etag == made.etag {
		return nil // done already, perhaps by a request whose answer was lost
	}
	if err := matches(present[name], ifMatch, mustBeNew); err != nil {
		return err
	}
	present[name] = made
	if err := writeSplits(g.folder, present); err != nil {
		return err
	}
	g.create(name, made, nil)
	g.noteSeries()
	return nil
}

// remove takes the split of a service away: then all its instances are used.
func (g *gateway) remove(name, ifMatch string) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	present := g.splits()
	if present[name] == nil {
		return errNoSplit
	}
	if err := matches(present[name], ifMatch, false); err != nil {
		return err
	}
	delete(present, name)
	if err := writeSplits(g.folder, present); err != nil {
		return err
	}
	if s, ok := g.services.Load(name); ok {
		s.(*service).split.Store(nil)
	}
	return nil
}

func matches(present *split, ifMatch string, mustBeNew bool) error {
	if mustBeNew && present != nil {
		return errConflict
	}
	if ifMatch == "" || (ifMatch == "*" && present != nil) {
		return nil
	}
	if present == nil || present.etag != ifMatch {
		return errConflict
	}
	return nil
}

func (g *gateway) splits() map[string]*split {
	found := make(map[string]*split)
	for name, s := range g.each() {
		if present := s.split.Load(); present != nil {
			found[name] = present
		}
	}
	return found
}
