package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(adminAPI{}) }

const maxSplitBytes = 64 << 10

// adminAPI adds to Caddy's admin API:
//
//	GET    /adx/splits              all splits
//	GET    /adx/splits/<service>    one, with its entity tag
//	PUT    /adx/splits/<service>    replaces it; If-Match, If-None-Match: * refuse what somebody else changed (409)
//	DELETE /adx/splits/<service>    all instances are used again; If-Match
//	GET    /adx/services[/<service>] what the gateway knows of services: releases, instances, requests in flight
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.adx", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes returns the one route, for everything under /adx/.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/adx/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

func (adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	running := current.Load()
	if running == nil {
		return problem(w, http.StatusServiceUnavailable, "the configuration has no app adx")
	}
	g := running.gateway
	kind, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/adx/"), "/")
	if name != "" && !serviceName.MatchString(name) {
		return problem(w, http.StatusBadRequest, fmt.Sprintf("%q is not a service's name (%s)", name, serviceName))
	}
	switch {
	case kind == "splits" && name == "" && r.Method == http.MethodGet:
		return answer(w, http.StatusOK, map[string]any{"splits": g.splits()})
	case kind == "splits" && name != "":
		return serveSplit(g, w, r, name)
	case kind == "services" && r.Method == http.MethodGet:
		return serveServices(g, w, r, name)
	case kind == "splits" || kind == "services":
		return problem(w, http.StatusMethodNotAllowed, "method not allowed")
	}
	return problem(w, http.StatusNotFound, "no such path")
}

func serveSplit(g *gateway, w http.ResponseWriter, r *http.Request, name string) error {
	switch r.Method {
	case http.MethodGet:
		found := g.splits()[name]
		if found == nil {
			return problem(w, http.StatusNotFound, errNoSplit.Error())
		}
		w.Header().Set("ETag", found.etag)
		return answer(w, http.StatusOK, found)
	case http.MethodPut:
		return putSplit(g, w, r, name)
	case http.MethodDelete:
		if err := g.remove(name, r.Header.Get("If-Match")); err != nil {
			return problem(w, statusFor(err), err.Error())
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return problem(w, http.StatusMethodNotAllowed, "method not allowed")
}

func putSplit(g *gateway, w http.ResponseWriter, r *http.Request, name string) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSplitBytes))
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("longer than %d bytes", maxSplitBytes))
	}
	if err != nil {
		return problem(w, http.StatusBadRequest, "the request could not be read")
	}
	made, err := parseSplit(body)
	if err != nil {
		return problem(w, http.StatusBadRequest, err.Error())
	}
	if err := g.put(name, made, r.Header.Get("If-Match"), r.Header.Get("If-None-Match") == "*"); err != nil {
		return problem(w, statusFor(err), err.Error())
	}
	w.Header().Set("ETag", made.etag)
	return answer(w, http.StatusOK, made)
}

func statusFor(err error) int {
	switch {
	case errors.Is(err, errConflict):
		return http.StatusConflict
	case errors.Is(err, errNoSplit):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

type releaseStatus struct {
	Instances []string `json:"instances"`
	InFlight  int64    `json:"in_flight"`
}

type serviceStatus struct {
	ETag     string                    `json:"etag"`
	Releases map[string]*releaseStatus `json:"releases"`
	// Requests in flight by instance, also of those that have left the registry.
	Busy map[string]int64 `json:"busy"`
	// Instances that are kept though the registry, back from an outage, has not listed them.
	Unconfirmed []string `json:"unconfirmed"`
	// How long ago the registry answered any question; -1: never.
	RegistryAnsweredSecondsAgo float64 `json:"registry_answered_seconds_ago"`
}

func serveServices(g *gateway, w http.ResponseWriter, r *http.Request, name string) error {
	if name != "" {
		found := g.find(r.Context(), name)
		if found == nil {
			return problem(w, http.StatusNotFound, "no such service")
		}
		return answer(w, http.StatusOK, statusOfService(g, found))
	}
	all := make(map[string]serviceStatus)
	for name, s := range g.each() {
		all[name] = statusOfService(g, s)
	}
	return answer(w, http.StatusOK, map[string]any{"services": all})
}

func statusOfService(g *gateway, s *service) serviceStatus {
	made := serviceStatus{
		Releases: make(map[string]*releaseStatus), Busy: make(map[string]int64), Unconfirmed: []string{},
		RegistryAnsweredSecondsAgo: -1,
	}
	if answered := g.lastAnswer.Load(); answered > 0 {
		made.RegistryAnsweredSecondsAgo = time.Since(time.UnixMilli(answered)).Seconds()
	}
	of := func(release string) *releaseStatus {
		if made.Releases[release] == nil {
			made.Releases[release] = &releaseStatus{Instances: []string{}}
		}
		return made.Releases[release]
	}
	if set := s.split.Load(); set != nil {
		made.ETag = set.etag
		for release := range set.Releases {
			of(release)
		}
	}
	if known := s.instances.Load(); known != nil {
		for _, one := range known.list {
			found := of(one.Release)
			found.Instances = append(found.Instances, one.Address)
			if one.Unconfirmed {
				made.Unconfirmed = append(made.Unconfirmed, one.Address)
			}
		}
	}
	undecided := s.flights.undecided()
	for one, count := range s.flights.busy() {
		of(one.release).InFlight += count
		made.Busy[one.address] += count
	}
	if undecided > 0 {
		made.mayGoAnywhere(undecided)
	}
	return made
}

// mayGoAnywhere counts requests that may still come to any release and any instance at each of them.
func (made serviceStatus) mayGoAnywhere(undecided int64) {
	for _, release := range made.Releases {
		release.InFlight += undecided
		for _, address := range release.Instances {
			made.Busy[address] += 0 // present
		}
	}
	for address := range made.Busy {
		made.Busy[address] += undecided
	}
}

func answer(w http.ResponseWriter, status int, content any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(content)
}

func problem(w http.ResponseWriter, status int, text string) error {
	return answer(w, status, map[string]string{"error": text})
}
