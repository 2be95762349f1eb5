package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	blockFor       = 30 * time.Second
	maxAnswerBytes = 32 << 20
	firstPause     = 100 * time.Millisecond
	longestPause   = 2 * time.Second
	shortestTurn   = 25 * time.Millisecond // of answers: an agent with many checks has news all the time
	// After the registry was away or was reset, instances that it does not list are kept so long: they
	// may only not have registered again yet. One that is really gone costs a second attempt, nothing more.
	keepMissingFor = 30 * time.Second
)

// consul asks a Consul agent (Consul manual, HTTP API, "Blocking Queries").
type consul struct {
	url       string
	tokenFile string
	client    *http.Client
}

func newConsul(url, tokenFile string) *consul {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 10 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	}
	return &consul{url: strings.TrimSuffix(url, "/"), tokenFile: tokenFile, client: &http.Client{Transport: transport}}
}

// get asks for path; with an index it returns when there is something newer, or after wait. It gives the next index.
func (c *consul) get(ctx context.Context, path string, index uint64, wait time.Duration, into any) (uint64, error) {
	// Consul adds up to a sixteenth to the wait, so that not everybody asks again at once.
	ctx, cancel := context.WithTimeout(ctx, wait+wait/16+5*time.Second)
	defer cancel()
	query := url.Values{"index": {strconv.FormatUint(index, 10)}, "wait": {fmt.Sprintf("%dms", wait.Milliseconds())}}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path+separator+query.Encode(), nil)
	if err != nil {
		return 0, err
	}
	if c.tokenFile != "" {
		token, err := os.ReadFile(c.tokenFile) // each time: it may be rotated
		if err != nil {
			return 0, errors.New("the token file cannot be read")
		}
		request.Header.Set("X-Consul-Token", strings.TrimSpace(string(token)))
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, answer.Body, 4096)
		return 0, fmt.Errorf("consul answers %s with status %d", path, answer.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswerBytes)).Decode(into); err != nil {
		return 0, err
	}
	next, err := strconv.ParseUint(answer.Header.Get("X-Consul-Index"), 10, 64)
	if err != nil {
		return 0, errors.New("the answer has no X-Consul-Index: this is not Consul")
	}
	return max(next, 1), nil // the manual: 0 would not wait
}

// healthEntry is what is needed of an answer of /v1/health/service.
type healthEntry struct {
	Node struct {
		Address string
	}
	Service struct {
		Address string
		Port    int
		Meta    map[string]string
		Weights struct{ Passing int }
	}
}

func (e healthEntry) instance() (instance, bool) {
	host := e.Service.Address
	if host == "" {
		host = e.Node.Address
	}
	if host == "" || e.Service.Port <= 0 {
		return instance{}, false
	}
	release := e.Service.Meta["release"]
	if release == "" && e.Service.Meta["version"] == "" {
		return instance{}, false // ADX did not register it, so nobody chose that it can be reached from outside
	}
	if release != "" && !releaseName.MatchString(release) {
		return instance{}, false
	}
	address := net.JoinHostPort(host, strconv.Itoa(e.Service.Port))
	return instance{Address: address, Release: release, Weight: e.Service.Weights.Passing}, true
}

// follow calls read again and again with the last index until the context ends. read returns the next index.
// failed is called once whenever answers cease.
func follow(ctx context.Context, read func(index uint64) (uint64, error), failed func(error)) {
	var index uint64
	pause := firstPause
	isFailing := false
	for ctx.Err() == nil {
		begun := time.Now()
		next, err := read(index)
		if err == nil {
			index, pause, isFailing = next, firstPause, false
			sleep(ctx, shortestTurn-time.Since(begun))
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !isFailing {
			failed(err)
		}
		isFailing = true
		index = 0 // what happened meanwhile is to be told at once
		sleep(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, longestPause)
	}
}

func sleep(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

// watch keeps the instances of one service up to date until the context ends.
type watch struct {
	consul    *consul
	service   string
	known     []instance
	doubtful  map[string]bool // addresses that the registry has not listed since it was away
	keepUntil time.Time
	changed   func([]instance)
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
	path := "/v1/health/service/" + url.PathEscape(w.service) + "?passing=true"
	next, err := w.consul.get(ctx, path, index, wait, &entries)
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
	found := make([]instance, 0, len(entries))
	listed := make(map[string]bool, len(entries))
	for _, entry := range entries {
		if one, ok := entry.instance(); ok && !listed[one.Address] {
			listed[one.Address] = true
			delete(w.doubtful, one.Address)
			found = append(found, one)
		}
	}
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
