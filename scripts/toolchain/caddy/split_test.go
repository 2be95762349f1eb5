package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsWrongWithASplitIsSaid(t *testing.T) {
	for body, said := range map[string]string{
		``:                                       "ends too early",
		`{"releases": {"a": 100}} {}`:            "something follows",
		`{"releases": {"a": 100}, "x": 1}`:       `unknown field "x"`,
		`{"releases": {}}`:                       "at least one",
		`null`:                                   "at least one",
		`{"releases": {"a": 99}}`:                "add up to 99",
		`{"releases": {"a": 50.5, "b": 49.5}}`:   "whole numbers",
		`{"releases": {"a": 101, "b": -1}}`:      "must be 0 to 100",
		`{"releases": {"a/b": 100}}`:             "not a release's name",
		`{"releases": {"a": 100}, "sticky": {}}`: "exactly one",
		`{"releases": {"a": 100}, "sticky": {"cookie": "c", "header": "h"}}`:                          "exactly one",
		`{"releases": {"a": 100}, "sticky": {"cookie": "c;d"}}`:                                       "not a name",
		`{"releases": {"a": 100}, "testers": {"header": "x", "value": "", "release": "a"}}`:           "testers.value",
		`{"releases": {"a": 100}, "testers": {"header": "x", "value": "y", "release": "b"}}`:          "not among",
		`{"releases": {"a": 100}, "mirror": {"release": "a", "percent": 101}}`:                        "mirror.percent",
		`{"releases": {"a":10,"b":10,"c":10,"d":10,"e":10,"f":10,"g":10,"h":10,"i":10,"j":10,"k":0}}`: "at most 10",
	} {
		if _, err := parseSplit([]byte(body)); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v, expected: %s", body, err, said)
		}
	}
}

func TestSameContentHasTheSameTag(t *testing.T) {
	one, err := parseSplit([]byte(`{"releases": {"a": 40, "b": 60}, "testers": null}`))
	if err != nil {
		t.Fatal(err)
	}
	two, err := parseSplit([]byte(` {"sticky": null, "releases": {"b": 60, "a": 40}}`))
	if err != nil {
		t.Fatal(err)
	}
	if one.etag != two.etag {
		t.Errorf("%s and %s", one.etag, two.etag)
	}
}

func TestStateSurvivesAndDamageIsNotIgnored(t *testing.T) {
	folder := t.TempDir()
	set, err := parseSplit([]byte(`{"releases": {"a": 40, "b": 60}, "sticky": {"cookie": "c"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSplits(folder, map[string]*split{"shop": set}); err != nil {
		t.Fatal(err)
	}
	found, err := readSplits(folder)
	if err != nil || found["shop"].etag != set.etag {
		t.Fatal(found, err)
	}
	if err := os.WriteFile(filepath.Join(folder, splitsFile), []byte(`{"splits": {"shop"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSplits(folder); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Fatal(err)
	}
}

func TestInstancesMissingAfterAnOutageAreKeptAWhile(t *testing.T) {
	var last []instance
	w := &watch{known: []instance{{Address: "1:1", Release: "r", Weight: 1}, {Address: "2:2", Release: "r", Weight: 1}}, changed: func(found []instance) { last = found }}
	entry := func(host string) healthEntry {
		var made healthEntry
		made.Service.Address, made.Service.Port, made.Service.Meta = host, 1, map[string]string{"release": "r"}
		return made
	}
	w.doubt()
	w.take(nil)
	if len(last) != 2 || !last[0].Unconfirmed {
		t.Fatalf("an empty answer after an outage took instances away: %v", last)
	}
	w.take([]healthEntry{entry("1")})
	w.take(nil)
	if len(last) != 1 || last[0].Address != "2:2" {
		t.Fatalf("an instance that was listed again and then left is to be gone at once: %v", last)
	}
}
