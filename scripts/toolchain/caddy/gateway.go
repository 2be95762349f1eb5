package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	waitForRegistry = 3 * time.Second // a first request, until the registry has answered
	saveAfter       = 500 * time.Millisecond
	saveEvery       = time.Minute // though nothing changed: what is remembered must not seem old
	tidyEvery       = 10 * time.Minute
	registryItself  = "consul" // its servers are registered like services
)

// gateway is all that outlives a configuration of Caddy: splits, instances and who watches them.
type gateway struct {
	settings  settings
	lock      *os.File
	consul    *consul
	permitted permitted
	folder    string
	mirror    *mirror
	logger    *zap.Logger
	seen      seen

	context context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	writing  sync.Mutex // one change of splits at a time
	creating sync.Mutex // one change of the set of services at a time
	services sync.Map   // name -> *service

	catalog      atomic.Pointer[map[string]bool] // names in the registry
	catalogKnown chan struct{}
	catalogOnce  sync.Once
	lastAnswer   atomic.Int64 // Unix milliseconds
	unsaved      chan struct{}
}

// openGateway reads the state folder and begins to watch the registry.
func openGateway(settings settings, permitted permitted, logger *zap.Logger) (*gateway, error) {
	if err := os.MkdirAll(settings.StateFolder, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFolder(settings.StateFolder)
	if err != nil {
		return nil, err
	}
	splits, err := readSplits(settings.StateFolder)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	g := &gateway{
		settings:     settings,
		lock:         lock,
		consul:       newConsul(settings.ConsulURL, settings.ConsulTokenFile),
		permitted:    permitted,
		folder:       settings.StateFolder,
		mirror:       newMirror(settings.MirrorAtOnce),
		logger:       logger,
		catalogKnown: make(chan struct{}),
		unsaved:      make(chan struct{}, 1),
	}
	g.context, g.cancel = context.WithCancel(context.Background())
	remembered := readInstances(settings.StateFolder, time.Duration(settings.RememberSeconds)*time.Second)
	names := slices.Concat(slices.Collect(maps.Keys(splits)), slices.Collect(maps.Keys(remembered)))
	for _, name := range names {
		g.create(name, splits[name], remembered[name])
	}
	g.background(g.watchCatalog)
	g.background(g.saveInstances)
	return g, nil
}

// Destruct ends everything; called by Caddy when no configuration uses the gateway any more.
func (g *gateway) Destruct() error {
	g.cancel()
	g.running.Wait()
	g.mirror.close()
	return g.lock.Close()
}

func (g *gateway) background(work func()) { g.running.Go(work) }

// create makes a service and begins to watch it, or finds the one that exists. With a split it is given that one.
func (g *gateway) create(name string, set *split, remembered []instance) *service {
	g.creating.Lock()
	defer g.creating.Unlock()
	made := g.findOrMake(name, remembered)
	if set != nil {
		made.split.Store(set)
	}
	return made
}

func (g *gateway) findOrMake(name string, remembered []instance) *service {
	if found, ok := g.services.Load(name); ok {
		return found.(*service)
	}
	made := newService(name)
	if len(remembered) > 0 {
		made.setInstances(newInstances(remembered))
	}
	ctx, cancel := context.WithCancel(g.context)
	made.stop = cancel
	g.services.Store(name, made)
	watching := &watch{consul: g.consul, permitted: g.permitted, service: name, known: remembered}
	watching.changed = func(found []instance) {
		g.answered()
		g.learn(made, found)
	}
	watching.warn = func(address string, err error) {
		g.logger.Warn("an instance gets no requests: its registered address is not permitted",
			zap.String("service", name), zap.String("address", address), zap.Error(err))
	}
	g.background(func() {
		watching.run(ctx, func(err error) {
			g.logger.Warn("the registry does not answer; going on with the instances known last",
				zap.String("service", name), zap.Error(err))
		})
	})
	return made
}

func (g *gateway) learn(s *service, found []instance) {
	before, now := s.instances.Load(), newInstances(found)
	if before != nil && slices.Equal(before.list, now.list) {
		return
	}
	s.setInstances(now)
	select {
	case g.unsaved <- struct{}{}:
	default:
	}
}

func (g *gateway) answered() { g.lastAnswer.Store(time.Now().UnixMilli()) }

// find gives a service that is in the registry or has a split; nil otherwise. The first
// request for a service waits until its instances are known.
func (g *gateway) find(ctx context.Context, name string) *service {
	found, ok := g.services.Load(name)
	if !ok {
		if name == "" || !serviceName.MatchString(name) || name == registryItself {
			return nil
		}
		g.await(ctx, g.catalogKnown)
		if catalog := g.catalog.Load(); catalog == nil || !(*catalog)[name] {
			return nil
		}
		found = g.create(name, nil, nil)
	}
	s := found.(*service)
	if s.instances.Load() == nil {
		g.await(ctx, s.ready)
	}
	return s
}

func (g *gateway) await(ctx context.Context, known <-chan struct{}) {
	select {
	case <-known:
		return
	default:
	}
	timer := time.NewTimer(waitForRegistry)
	defer timer.Stop()
	select {
	case <-known:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// watchCatalog keeps the names of services up to date, and ends what watches services that are gone.
func (g *gateway) watchCatalog() {
	read := func(index uint64) (uint64, error) {
		var names map[string][]string
		next, err := g.consul.get(g.context, "/v1/catalog/services", index, blockFor, &names)
		if err != nil && !(errors.Is(err, errFiltered) && len(names) > 0) { // a token may know some services only
			return 0, err
		}
		found := make(map[string]bool, len(names))
		for name := range names {
			found[name] = true
		}
		g.answered()
		g.catalog.Store(&found)
		g.catalogOnce.Do(func() { close(g.catalogKnown) })
		g.dropUnknown(found)
		if next < index {
			next = 0
		}
		return next, nil
	}
	follow(g.context, read, func(err error) { g.logger.Warn("the registry does not answer", zap.Error(err)) })
}

// dropUnknown forgets services without split, instances and entry in the registry.
func (g *gateway) dropUnknown(catalog map[string]bool) {
	g.creating.Lock()
	defer g.creating.Unlock()
	for name, s := range g.each() {
		known := s.instances.Load()
		if !catalog[name] && s.split.Load() == nil && known != nil && len(known.list) == 0 {
			s.stop()
			g.services.Delete(name)
		}
	}
}

func (g *gateway) each() map[string]*service {
	found := make(map[string]*service)
	g.services.Range(func(name, s any) bool {
		found[name.(string)] = s.(*service)
		return true
	})
	return found
}

// saveInstances writes the instances down some time after they changed, and now and then.
func (g *gateway) saveInstances() {
	tidying, saving := time.NewTicker(tidyEvery), time.NewTicker(saveEvery)
	defer tidying.Stop()
	defer saving.Stop()
	for {
		select {
		case <-g.context.Done():
			return
		case <-tidying.C:
			g.noteSeries()
			for _, s := range g.each() {
				s.tidy()
			}
			continue
		case <-saving.C:
		case <-g.unsaved:
		}
		select {
		case <-g.context.Done():
			return
		case <-time.After(saveAfter):
		}
		known := make(map[string][]instance)
		for name, s := range g.each() {
			if present := s.instances.Load(); present != nil && len(present.list) > 0 {
				known[name] = present.list
			}
		}
		if err := writeInstances(g.folder, known, time.Now()); err != nil {
			g.logger.Warn("the instances cannot be written down", zap.Error(err))
		}
	}
}

// noteSeries tells which releases exist, so that the metrics of others can end one day.
func (g *gateway) noteSeries() {
	var present [][2]string
	for name, s := range g.each() {
		if set := s.split.Load(); set != nil {
			for release := range set.Releases {
				present = append(present, [2]string{name, release})
			}
		}
		if known := s.instances.Load(); known != nil {
			for release := range known.byRelease {
				present = append(present, [2]string{name, label(release)})
			}
		}
	}
	g.seen.note(time.Now(), present)
}
