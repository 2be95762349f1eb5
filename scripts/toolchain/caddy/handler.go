package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(handler{}) }

const (
	statusClientGone = 499 // as nginx and Caddy call a client that did not wait
	unknownService   = "unknown"
)

// handler decides for each request which service it is for and which release
// answers it; reverse_proxy with the upstreams adx must follow.
type handler struct {
	// The service, when the route is for one. Otherwise it is found by FindBy.
	Service string `json:"service,omitempty"`
	// In which order a service's name is looked for: host (the first label of a name with several),
	// path (the first segment, which is taken off), header.
	FindBy []string `json:"find_by,omitempty"`
	// The header that FindBy means.
	Header string `json:"header,omitempty"`

	gateway    *gateway
	logger     *zap.Logger
	lastLogged *atomic.Int64
}

// CaddyModule returns the Caddy module information.
func (handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.adx_gateway", New: func() caddy.Module { return new(handler) }}
}

// Provision finds the gateway and checks the settings.
func (h *handler) Provision(ctx caddy.Context) error {
	for _, way := range h.FindBy {
		if way != "host" && way != "path" && way != "header" {
			return fmt.Errorf("adx_gateway: find_by knows host, path and header, not %q", way)
		}
	}
	if (h.Service == "") == (len(h.FindBy) == 0) {
		return errors.New("adx_gateway: exactly one of service and find_by is needed")
	}
	found, err := ctx.App("adx")
	if err != nil {
		return err
	}
	h.gateway, h.logger, h.lastLogged = found.(*app).gateway, ctx.Logger(), new(atomic.Int64)
	return nil
}

// ServeHTTP decides, counts and copies; the rest is reverse_proxy's.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	begun := time.Now()
	strip(r.Header, mirrorHeader) // only the gateway says what is a copy
	strip(r.Header, prefixHeader)
	found := h.find(r)
	if found == nil {
		refuse(w, http.StatusNotFound, "no such service")
		observe(unknownService, noRelease, http.StatusNotFound, time.Since(begun))
		return nil
	}
	decided := found.decide(r)
	if decided == nil {
		refuse(w, http.StatusServiceUnavailable, found.name+": no healthy instance")
		observe(found.name, noRelease, http.StatusServiceUnavailable, time.Since(begun))
		return nil
	}
	defer decided.land() // however this ends: what stays counted would keep a release from ever being drained
	caddyhttp.SetVar(r.Context(), decisionKey, decided)
	copying := h.gateway.mirror.begin(decided, r)
	answer := &recorder{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, decided: decided, request: r}
	isAborted := true
	defer func() { // also when reverse_proxy breaks an answer off, by a panic
		decided.land()
		if answer.isStream {
			countRequest(found.name, decided.served(), answer.code(isAborted))
		} else {
			observe(found.name, decided.served(), answer.code(isAborted), time.Since(begun))
		}
		h.gateway.mirror.send(copying)
	}()
	err := next.ServeHTTP(answer, r)
	isAborted = false
	if err != nil && answer.status == 0 {
		h.log(decided, err)
		answer.status = statusOf(err)
		refuse(w, answer.status, found.name+": "+reason(answer.status))
		return nil
	}
	return err
}

// find is the service that a request names; nil when there is none.
func (h *handler) find(r *http.Request) *service {
	if h.Service != "" {
		return h.gateway.find(r.Context(), h.Service)
	}
	for _, way := range h.FindBy {
		switch way {
		case "host":
			if found := h.gateway.find(r.Context(), firstLabel(r.Host)); found != nil {
				return found
			}
		case "header":
			if found := h.gateway.find(r.Context(), r.Header.Get(h.Header)); found != nil {
				return found
			}
		case "path":
			// As it was sent: in /shop%2Fcart there is one segment, which is no service's name.
			name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
			if found := h.gateway.find(r.Context(), name); found != nil {
				takeOff(r, name, rest)
				return found
			}
		}
	}
	return nil
}

// firstLabel is "shop" of "shop.example.com:8080"; empty for addresses and names of one label.
func firstLabel(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	first, rest, _ := strings.Cut(host, ".")
	if rest == "" || net.ParseIP(host) != nil {
		return ""
	}
	return strings.ToLower(first)
}

// takeOff removes the first segment of the path, and tells the service that it was there; rest is still escaped.
func takeOff(r *http.Request, name, rest string) {
	r.URL.RawPath = "/" + rest
	if plain, err := url.PathUnescape(r.URL.RawPath); err == nil { // else EscapedPath would not have been this
		r.URL.Path = plain
	}
	r.Header.Set(prefixHeader, "/"+name)
	r.RequestURI = r.URL.RequestURI()
}

// refuse answers with a short text, also where an answer of the service might be expected.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

func reason(status int) string {
	switch status {
	case http.StatusServiceUnavailable:
		return "no instance accepts a connection"
	case http.StatusGatewayTimeout:
		return "the instance took too long"
	default:
		return "no answer of an instance"
	}
}

func statusOf(err error) int {
	var known caddyhttp.HandlerError
	if errors.As(err, &known) && known.StatusCode != 0 {
		return known.StatusCode
	}
	return http.StatusInternalServerError
}

// log writes at most one line a second: a release that fails does so for each request.
func (h *handler) log(d *decision, err error) {
	now := time.Now().Unix()
	if last := h.lastLogged.Load(); last == now || !h.lastLogged.CompareAndSwap(last, now) {
		return
	}
	h.logger.Warn("a request failed", zap.String("service", d.service.name), zap.String("release", d.served()),
		zap.String("instance", d.instance.Address), zap.Error(err))
}

// recorder takes note of the status, and adds the cookie of a sticky split to the answer.
type recorder struct {
	*caddyhttp.ResponseWriterWrapper
	decided  *decision
	request  *http.Request
	status   int
	isStream bool // it lasts as long as the client wants, which says nothing of the release
}

// WriteHeader is called with informational codes, too; the first other one counts.
func (a *recorder) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.status = status
		a.isStream = status == http.StatusSwitchingProtocols ||
			strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream")
		if status != statusClientGone {
			a.decided.service.suspects.accepted(a.decided.instance.Address)
		}
		a.setCookie()
	}
	a.ResponseWriterWrapper.WriteHeader(status)
}

// Write without WriteHeader means 200.
func (a *recorder) Write(content []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriterWrapper.Write(content)
}

// setCookie keeps the client at the release that answers it, unless it is there already.
func (a *recorder) setCookie() {
	d := a.decided
	if d.split == nil || d.split.Sticky == nil || d.split.Sticky.Cookie == "" || d.isTester {
		return
	}
	release, name := d.served(), d.service.cookieName(d.split.Sticky)
	if sent, err := a.request.Cookie(name); err == nil && sent.Value == release {
		return
	}
	if d.split.Releases[release] == 0 { // the fallback, for as long as it must
		return
	}
	cookie := http.Cookie{
		Name: name, Value: release, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.request.TLS != nil,
	}
	a.Header().Add("Set-Cookie", cookie.String())
}

// code is what is counted. An answer that was broken off counts as bad gateway, or as the client's doing.
func (a *recorder) code(isAborted bool) int {
	if isAborted || a.status == 0 {
		if a.request.Context().Err() != nil {
			return statusClientGone
		}
		return http.StatusBadGateway
	}
	return a.status
}
