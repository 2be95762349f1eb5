package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const mirrorTimeout = 10 * time.Second

// mirror sends copies of requests and throws the answers away. A copy that
// would have to wait is dropped. Each service has a limit of its own: copies
// that hang take nothing from another one.
type mirror struct {
	atOnce    int64
	transport *http.Transport
	context   context.Context
	cancel    context.CancelFunc
}

func newMirror(atOnce int) *mirror {
	m := &mirror{atOnce: int64(atOnce)}
	m.context, m.cancel = context.WithCancel(context.Background())
	m.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: atOnce,
		IdleConnTimeout:     4 * time.Second,
		DisableCompression:  true,
	}
	return m
}

func (m *mirror) close() {
	m.cancel()
	m.transport.CloseIdleConnections()
}

// replica is a request that is to be sent a second time, once the real one is over. It holds one of the service's places.
type replica struct {
	service *service
	target  instance
	request *http.Request
	body    *tee
}

// begin prepares the copy of a request, before it is served; nil when this one is not to be copied: only methods
// that ask for no change are (RFC 9110 section 9.2.1). The body is kept as it is read for the real request. What it
// gives must be sent, which ends it.
func (m *mirror) begin(d *decision, r *http.Request) *replica {
	if d.split == nil || d.split.mirrorPicker == nil || d.release == d.split.Mirror.Release || d.isTester {
		return nil
	}
	if (r.Method != http.MethodGet && r.Method != http.MethodHead) || r.Header.Get("Upgrade") != "" {
		return nil
	}
	if r.ContentLength > maxMirroredBytes {
		return nil
	}
	members := d.service.instances.Load().of(d.split.Mirror.Release)
	if members == nil || d.split.mirrorPicker.next() != mirrored {
		return nil
	}
	target, _ := members.next(func(instance) bool { return false })
	made := &replica{service: d.service, target: target}
	if d.service.mirroring.Add(1) > m.atOnce {
		made.end("dropped")
		return nil
	}
	made.request = copied(r, target)
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		made.body = &tee{ReadCloser: r.Body, expected: r.ContentLength}
		r.Body = made.body
	}
	return made
}

// send hands the copy over to a goroutine.
func (m *mirror) send(c *replica) {
	if c == nil {
		return
	}
	if c.body != nil {
		content, ok := c.body.whole()
		if !ok {
			c.end("dropped")
			return
		}
		c.request.Body = io.NopCloser(bytes.NewReader(content))
		c.request.ContentLength = int64(len(content))
	}
	go func() { c.end(m.exchange(c.request)) }()
}

// end gives the place back and counts what became of the copy.
func (c *replica) end(code string) {
	c.service.mirroring.Add(-1)
	mirroredTotal.WithLabelValues(c.service.name, label(c.target.Release), code).Inc()
}

// exchange gives the status code of the answer as text, or "error".
func (m *mirror) exchange(request *http.Request) string {
	ctx, cancel := context.WithTimeout(m.context, mirrorTimeout)
	defer cancel()
	answer, err := m.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return "error"
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "error"
	}
	return strconv.Itoa(answer.StatusCode)
}

// copied is the request as the real instance gets it, marked as a copy.
func copied(r *http.Request, target instance) *http.Request {
	header := r.Header.Clone()
	for _, name := range []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Expect"} {
		header.Del(name) // RFC 9110 section 7.6.1: meant for this connection only
	}
	header.Set(mirrorHeader, "1")
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		if before := header.Get("X-Forwarded-For"); before != "" && isTrusted(r) {
			host = before + ", " + host
		}
		header.Set("X-Forwarded-For", host)
	}
	if header.Get("X-Forwarded-Host") == "" || !isTrusted(r) {
		header.Set("X-Forwarded-Host", r.Host)
	}
	return &http.Request{
		Method: r.Method,
		URL: &url.URL{
			Scheme: "http", Host: target.Address,
			Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery,
		},
		Host:   r.Host,
		Header: header,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// isTrusted says whether the request came through a proxy that the configuration trusts.
func isTrusted(r *http.Request) bool {
	found, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return found
}
