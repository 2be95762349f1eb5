package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHeadersOfTheGatewayAreStrippedInEverySpelling(t *testing.T) {
	header := http.Header{"X-Adx-Mirror": {"1"}, "X_adx_mirror": {"1"}, "x-ADX_Mirror": {"1"}, "X-Adx-Mirrors": {"1"}}
	strip(header, mirrorHeader)
	if len(header) != 1 || header.Get("X-Adx-Mirrors") != "1" {
		t.Fatal(header)
	}
}

// The answer may be there while the transport still reads: run with -race to see that nothing is shared.
func TestABodyIsKeptWholeOrNotAtAll(t *testing.T) {
	body := &tee{ReadCloser: io.NopCloser(strings.NewReader("order")), expected: 5}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.ReadAll(body) })
	if found, ok := body.whole(); ok && string(found) != "order" {
		t.Fatalf("%q", found)
	}
	reading.Wait()
	found, ok := body.whole()
	if !ok || string(found) != "order" {
		t.Fatalf("%q %t", found, ok)
	}
	body.kept.WriteString("x")
	if body.kept.Bytes()[0] = 'X'; found[0] != 'o' {
		t.Fatal("it is not a copy")
	}
	long := &tee{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", maxMirroredBytes+1))), expected: -1}
	_, _ = io.ReadAll(long)
	if _, ok := long.whole(); ok {
		t.Fatal("it is too long")
	}
}

func TestSuspicionDoublesUntilAConnectionIsAccepted(t *testing.T) {
	var s suspects
	now := time.Now()
	for _, length := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
		s.refused("a", now)
		s.refused("a", now.Add(length-1)) // another request, which had tried it at the same time
		if !s.has("a", now.Add(length-1)) || s.has("a", now.Add(length)) {
			t.Fatalf("not %s", length)
		}
		now = now.Add(length)
	}
	s.accepted("a")
	s.refused("a", now)
	if s.has("a", now.Add(time.Second)) {
		t.Fatal("it had accepted a connection")
	}
}
