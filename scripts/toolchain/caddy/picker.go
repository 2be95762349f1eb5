package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

const rounds = 64 // how many different orders a picker has before it begins again

// picker chooses releases by weight: of every hundred requests each release
// gets exactly as many as its weight says, and after any number of requests
// it is off by a request or so. Which request of a round goes where is
// shuffled, anew for each round: with one fixed order a client that asks for
// two things in turn would get one of them always from the same release, and
// a comparison of the releases would compare the two things. The only shared
// state is a counter that is added to atomically.
type picker struct {
	names   []string
	weights []int
	orders  [rounds][whole]uint8
	count   atomic.Uint64
}

func newPicker(weights map[string]int) *picker {
	p := new(picker)
	for name := range weights {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	for _, name := range p.names {
		p.weights = append(p.weights, weights[name])
	}
	source := rand.New(rand.NewPCG(1, whole)) // shuffling, not security; the same each time, so that it can be tested
	for round := range p.orders {
		p.orders[round] = shuffled(p.weights, source)
	}
	return p
}

// next is the release for the next request.
func (p *picker) next() string {
	number := p.count.Add(1) - 1
	return p.names[p.orders[number/whole%rounds][number%whole]]
}

// shuffled spreads the releases over a round: the k-th request of a release
// with weight w lies at a random place of the k-th of w equal parts.
func shuffled(weights []int, source *rand.Rand) [whole]uint8 {
	type place struct {
		at      float64
		release int
	}
	places := make([]place, 0, whole)
	for release, weight := range weights {
		for k := range weight {
			places = append(places, place{(float64(k) + source.Float64()) / float64(weight), release})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	var order [whole]uint8
	for index, found := range places {
		order[index] = uint8(found.release)
	}
	return order
}

// byHash chooses a release for a value: always the same one while the weights
// stay, in proportion to the weights over many values, and when weights change
// only as many values move as must (weighted rendezvous hashing; Schindelhauer
// and Schomaker, "Weighted distributed hash tables", 2005). Releases in
// without are left out; empty when none is left.
func (p *picker) byHash(value string, without []string) string {
	best, chosen := math.Inf(-1), ""
	for index, name := range p.names {
		if p.weights[index] == 0 || slices.Contains(without, name) {
			continue
		}
		// -w/ln(u) with u uniform in (0, 1): the largest wins with probability w / sum of all w.
		score := -float64(p.weights[index]) / math.Log(uniform(name, value))
		if score > best {
			best, chosen = score, name
		}
	}
	return chosen
}

// uniform is a number in (0, 1) that looks random and depends on nothing but its arguments.
func uniform(name, value string) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	_, _ = hash.Write([]byte{0})
	_, _ = hash.Write([]byte(value))
	mixed := hash.Sum64() // FNV mixes its last bytes badly: finish as MurmurHash3 does
	mixed = (mixed ^ mixed>>33) * 0xff51afd7ed558ccd
	mixed = (mixed ^ mixed>>33) * 0xc4ceb9fe1a85ec53
	mixed ^= mixed >> 33
	return (float64(mixed>>11) + 0.5) / (1 << 53)
}
