package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
		`{"releases": {"a": 100}, "fallback": "b"}`:                                                   "fallback",
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

func TestAnOlderGatewayReadsWhatANewerOneWrote(t *testing.T) {
	folder := t.TempDir()
	content := `{"splits": {"shop": {"releases": {"a": 100}, "of_tomorrow": 1}}, "also": []}`
	if err := os.WriteFile(filepath.Join(folder, splitsFile), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := readSplits(folder); err != nil || found["shop"].Releases["a"] != whole {
		t.Fatal(found, err)
	}
}

func TestOldInstancesAreNotRemembered(t *testing.T) {
	folder := t.TempDir()
	known := map[string][]instance{"shop": {{Address: "10.0.0.1:1", Release: "r"}}}
	for age, remembered := range map[time.Duration]int{time.Minute: 1, time.Hour: 0, -time.Hour: 0} {
		if err := writeInstances(folder, known, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		if found := readInstances(folder, 10*time.Minute); len(found) != remembered {
			t.Errorf("%s old: %v", age, found)
		}
	}
}

func TestAStateFolderHasOneGateway(t *testing.T) {
	folder := t.TempDir()
	first, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(folder); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Fatal(err)
	}
	_ = first.Close()
	second, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
}
