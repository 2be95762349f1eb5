package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

const (
	maxReleases = 10
	whole       = 100 // what the weights of a split add up to
	mirrored    = "mirrored"
)

var (
	serviceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	releaseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	// RFC 9110 section 5.6.2 (token), which names of headers and cookies are made of.
	token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$")
)

// split says how the traffic of one service is divided. It is never changed
// once it is in use: another one takes its place.
type split struct {
	Releases map[string]int `json:"releases"`
	Testers  *testers       `json:"testers"`
	Sticky   *sticky        `json:"sticky"`
	Mirror   *mirrorRule    `json:"mirror"`
	// Who answers when no release with a weight has an instance that does.
	Fallback string `json:"fallback,omitempty"`

	picker       *picker
	mirrorPicker *picker // nil without copies
	etag         string
}

// testers sends requests with a header of this value to one release, whatever its weight.
type testers struct {
	Header  string `json:"header"`
	Value   string `json:"value"`
	Release string `json:"release"`
}

// sticky keeps a client at its release: by a cookie that the gateway sets, or by the value of a header.
type sticky struct {
	Cookie string `json:"cookie,omitempty"`
	Header string `json:"header,omitempty"`
}

// mirrorRule copies a share of the requests that other releases get to Release.
type mirrorRule struct {
	Release string `json:"release"`
	Percent int    `json:"percent"`
}

// parseSplit reads and checks a split. Its error says what is wrong, for people.
func parseSplit(body []byte) (*split, error) { return decodeSplit(body, true) }

func decodeSplit(body []byte, isStrict bool) (*split, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if isStrict {
		decoder.DisallowUnknownFields()
	}
	made := new(split)
	if err := decoder.Decode(made); err != nil {
		return nil, fmt.Errorf("not a split: %s", explained(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a split: something follows the JSON object")
	}
	if err := made.check(); err != nil {
		return nil, err
	}
	made.prepare()
	return made, nil
}

func explained(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s cannot be a %s (weights are whole numbers)", wrong.Field, wrong.Value)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON ends too early"
	}
	return err.Error()
}

func (s *split) check() error {
	if len(s.Releases) == 0 {
		return errors.New("releases: at least one is needed")
	}
	if len(s.Releases) > maxReleases {
		return fmt.Errorf("releases: %d are too many, at most %d", len(s.Releases), maxReleases)
	}
	sum := 0
	for name, weight := range s.Releases {
		if !releaseName.MatchString(name) {
			return fmt.Errorf("releases: %q is not a release's name (%s)", name, releaseName)
		}
		if weight < 0 || weight > whole {
			return fmt.Errorf("releases.%s: the weight is %d, must be 0 to %d", name, weight, whole)
		}
		sum += weight
	}
	if sum != whole {
		return fmt.Errorf("releases: the weights add up to %d, must be %d", sum, whole)
	}
	return s.checkRules()
}

func (s *split) checkRules() error {
	if t := s.Testers; t != nil {
		if !token.MatchString(t.Header) {
			return fmt.Errorf("testers.header: %q is not a header's name", t.Header)
		}
		if t.Value == "" || len(t.Value) > 256 {
			return errors.New("testers.value: must have 1 to 256 characters")
		}
		if err := s.mustHave("testers.release", t.Release); err != nil {
			return err
		}
	}
	if k := s.Sticky; k != nil {
		if (k.Cookie == "") == (k.Header == "") {
			return errors.New("sticky: exactly one of cookie and header is needed")
		}
		if name := k.Cookie + k.Header; !token.MatchString(name) {
			return fmt.Errorf("sticky: %q is not a name", name)
		}
	}
	if s.Fallback != "" {
		if err := s.mustHave("fallback", s.Fallback); err != nil {
			return err
		}
	}
	if m := s.Mirror; m != nil {
		if m.Percent < 0 || m.Percent > whole {
			return fmt.Errorf("mirror.percent: is %d, must be 0 to %d", m.Percent, whole)
		}
		return s.mustHave("mirror.release", m.Release)
	}
	return nil
}

func (s *split) mustHave(field, release string) error {
	if _, ok := s.Releases[release]; !ok {
		return fmt.Errorf("%s: %q is not among releases", field, release)
	}
	return nil
}

// prepare makes what requests need: the picker and the entity tag.
func (s *split) prepare() {
	s.picker = newPicker(s.Releases)
	if m := s.Mirror; m != nil && m.Percent > 0 {
		s.mirrorPicker = newPicker(map[string]int{mirrored: m.Percent, "": whole - m.Percent})
	}
	digest := sha256.Sum256(s.canonical())
	s.etag = `"` + hex.EncodeToString(digest[:8]) + `"`
}

// canonical is the split as JSON, the same bytes for the same content: maps are written in order.
func (s *split) canonical() []byte {
	written, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return written
}

// others lists the releases with a weight, but for those in without, the heaviest first.
func (s *split) others(without []string) []string {
	var found []string
	for name, weight := range s.Releases {
		if weight > 0 && !slices.Contains(without, name) {
			found = append(found, name)
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		if s.Releases[a] != s.Releases[b] {
			return s.Releases[b] - s.Releases[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	return found
}
