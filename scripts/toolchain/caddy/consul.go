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
	// After the registry was away or was reset, or lists nothing at all at once, instances that it does not list are
	// kept so long: they may only not have registered again yet. One that is really gone costs a second attempt.
	keepMissingFor = 30 * time.Second
	filteredHeader = "X-Consul-Results-Filtered-By-Acls"
)

// errFiltered means that the token may not read all of what was asked for.
var errFiltered = errors.New("the token for consul may not read all of it")

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
// With errFiltered the rest of the answer is there.
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
		token, err := readToken(c.tokenFile)
		if err != nil {
			return 0, err
		}
		request.Header.Set("X-Consul-Token", token)
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
	next = max(next, 1) // the manual: 0 would not wait
	if answer.Header.Get(filteredHeader) == "true" {
		return next, errFiltered
	}
	return next, nil
}

// readToken is called for every question: the token may be rotated. Without one the question would be asked
// by nobody in particular, and answered as if there were nothing.
func readToken(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", errors.New("the token file cannot be read")
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("the token file is empty")
	}
	return token, nil
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
	Checks []struct{ Status string }
}

func (e healthEntry) host() string {
	if e.Service.Address == "" {
		return e.Node.Address
	}
	return e.Service.Address
}

func (e healthEntry) address() string {
	return net.JoinHostPort(e.host(), strconv.Itoa(e.Service.Port))
}

// isPassing says what ?passing would: all checks of the instance and of its node pass.
func (e healthEntry) isPassing() bool {
	for _, check := range e.Checks {
		if check.Status != "passing" {
			return false
		}
	}
	return true
}

// isOfADX says whether a registration by ADX wrote it, so that somebody chose that it can be reached from outside:
// it has a release, or among its endpoints (name/address/port,…) its own place. Others write neither.
func (e healthEntry) isOfADX() bool {
	if release := e.Service.Meta["release"]; release != "" {
		return releaseName.MatchString(release)
	}
	place := fmt.Sprintf("/%s/%d,", e.Service.Address, e.Service.Port)
	return strings.Contains(e.Service.Meta["endpoints"]+",", place)
}

func (e healthEntry) instance() instance {
	return instance{Address: e.address(), Release: e.Service.Meta["release"], Weight: e.Service.Weights.Passing}
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
