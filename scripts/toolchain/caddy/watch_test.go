package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is a registration by ADX with these states of its checks.
func entry(host string, states ...string) healthEntry {
	var made healthEntry
	made.Service.Address, made.Service.Port, made.Service.Meta = host, 1, map[string]string{"release": "r"}
	for _, state := range states {
		made.Checks = append(made.Checks, struct{ Status string }{state})
	}
	return made
}

// watching is a watch that knows two instances, and the addresses that it told last; unconfirmed ones with a "?".
func watching() (*watch, *[]string) {
	told := new([]string)
	known := []instance{{Address: "10.0.0.1:1", Release: "r", Weight: 1}, {Address: "10.0.0.2:1", Release: "r", Weight: 1}}
	w := &watch{service: "shop", known: known, changed: func(found []instance) {
		*told = nil
		for _, one := range found {
			text := strings.TrimSuffix(one.Address, ":1")
			if one.Unconfirmed {
				text += "?"
			}
			*told = append(*told, text)
		}
	}}
	return w, told
}

func expect(t *testing.T, told *[]string, wanted ...string) {
	t.Helper()
	if !slices.Equal(*told, wanted) {
		t.Fatalf("told %v, expected %v", *told, wanted)
	}
}

func TestInstancesMissingAfterAnOutageAreKeptAWhile(t *testing.T) {
	w, told := watching()
	w.doubt()
	w.take([]healthEntry{entry("10.0.0.1"), entry("10.0.0.3")})
	expect(t, told, "10.0.0.1", "10.0.0.3", "10.0.0.2?")
	w.take([]healthEntry{entry("10.0.0.3")})
	expect(t, told, "10.0.0.3", "10.0.0.2?") // the first was listed and then left
	w.keepUntil = time.Now()
	w.take([]healthEntry{entry("10.0.0.3")})
	expect(t, told, "10.0.0.3")
}

func TestAnAnswerWithoutAnyInstanceIsNotBelievedAtOnce(t *testing.T) {
	w, told := watching()
	w.take(nil)
	expect(t, told, "10.0.0.1?", "10.0.0.2?")
	begun := w.keepUntil
	w.take(nil)
	if w.keepUntil != begun {
		t.Fatal("the same answer once more made the time longer")
	}
	w.keepUntil = time.Now()
	w.take(nil)
	expect(t, told)
}

func TestWhatIsKnownToBeCriticalIsNotKept(t *testing.T) {
	w, told := watching()
	w.doubt()
	w.take([]healthEntry{entry("10.0.0.1", "passing", "critical"), entry("10.0.0.3", "passing", "passing")})
	expect(t, told, "10.0.0.3", "10.0.0.2?")
	w.take([]healthEntry{entry("10.0.0.3", "warning")})
	expect(t, told, "10.0.0.2?")
}

func TestOnlyWhatAdxRegisteredIsTaken(t *testing.T) {
	w, told := watching()
	with := func(meta map[string]string) healthEntry {
		made := entry("10.0.0.9")
		made.Service.Meta = meta
		return made
	}
	for _, meta := range []map[string]string{
		nil, {"version": "1"}, {"release": "{env.HOME}"}, {"endpoints": "http/10.0.0.8/1"}, {"endpoints": "http/10.0.0.9/11"},
	} {
		w.take([]healthEntry{with(meta), entry("10.0.0.3")})
		expect(t, told, "10.0.0.3")
	}
	w.take([]healthEntry{with(map[string]string{"endpoints": "grpc/10.0.0.8/2,http/10.0.0.9/1"})})
	expect(t, told, "10.0.0.9")
}

func TestAForbiddenAddressIsSaidOnceAndNotTaken(t *testing.T) {
	w, told := watching()
	warned := 0
	w.warn = func(string, error) { warned++ }
	for range 3 {
		w.take([]healthEntry{entry("169.254.169.254"), entry("10.0.0.3")})
	}
	expect(t, told, "10.0.0.3")
	if warned != 1 {
		t.Fatalf("said %d times", warned)
	}
}

func TestAnAnswerThatTheTokenFiltersTakesNothingAway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consul-Index", "7")
		w.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
		_ = json.NewEncoder(w).Encode([]healthEntry{})
	}))
	defer server.Close()
	w, told := watching()
	w.consul = newConsul(server.URL, file)
	for content, said := range map[string]string{" \n": "token file is empty", "secret": "may not read"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.read(context.Background(), 0); err == nil || !strings.Contains(err.Error(), said) {
			t.Fatal(err)
		}
	}
	if *told != nil || len(w.known) != 2 {
		t.Fatal(*told, w.known)
	}
}
