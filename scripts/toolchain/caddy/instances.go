package main

import (
	"slices"
	"sync/atomic"
)

// Consul's weights go up to 65,535; larger ones than this are scaled down, so that a turn stays short.
const maxInstanceWeight = 100

// instance is one process of a service as the registry knows it; Release is empty when it is of none.
type instance struct {
	Address string `json:"address"`
	Release string `json:"release"`
	Weight  int    `json:"weight"`
	// Unconfirmed: it is kept though the registry has not listed it since it was away.
	Unconfirmed bool `json:"-"`
}

// instances are the healthy processes of one service; never changed, only replaced.
type instances struct {
	list      []instance
	all       *group
	byRelease map[string]*group
}

func newInstances(list []instance) *instances {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b instance) int {
		if a.Address < b.Address {
			return -1
		}
		return 1
	})
	byRelease := make(map[string][]instance)
	for _, one := range list {
		byRelease[one.Release] = append(byRelease[one.Release], one)
	}
	made := &instances{list: list, all: newGroup(list), byRelease: make(map[string]*group)}
	for release, members := range byRelease {
		made.byRelease[release] = newGroup(members)
	}
	return made
}

// of is the group of a release; nil when it has no healthy instance. Without a release: everything.
func (i *instances) of(release string) *group {
	if i == nil || len(i.list) == 0 {
		return nil
	}
	if release == "" {
		return i.all
	}
	return i.byRelease[release]
}

// group deals requests out to its members in turn, in proportion to their weights.
type group struct {
	members []instance
	slots   []int
	count   atomic.Uint64
}

func newGroup(members []instance) *group {
	weights := make([]int, len(members))
	largest, divisor, sum := 1, 0, 0
	for _, member := range members {
		largest = max(largest, member.Weight)
	}
	for index, member := range members {
		weights[index] = max(member.Weight, 1)
		if largest > maxInstanceWeight {
			weights[index] = max(weights[index]*maxInstanceWeight/largest, 1)
		}
		divisor = gcd(divisor, weights[index])
	}
	for index := range weights {
		weights[index] /= divisor
		sum += weights[index]
	}
	return &group{members: members, slots: interleaved(weights, sum)}
}

// interleaved is the smooth weighted round robin of nginx (ngx_http_upstream_round_robin.c), rolled out.
func interleaved(weights []int, sum int) []int {
	slots := make([]int, 0, sum)
	current := make([]int, len(weights))
	for range sum {
		best := 0
		for index, weight := range weights {
			current[index] += weight
			if current[index] > current[best] {
				best = index
			}
		}
		current[best] -= sum
		slots = append(slots, best)
	}
	return slots
}

// next is the member whose turn it is. Those for which avoid says so are
// passed over; ok is false when that leaves none.
func (g *group) next(avoid func(instance) bool) (chosen instance, ok bool) {
	first := g.members[g.slots[(g.count.Add(1)-1)%uint64(len(g.slots))]]
	if !avoid(first) {
		return first, true
	}
	start := slices.Index(g.members, first)
	for step := 1; step < len(g.members); step++ {
		if other := g.members[(start+step)%len(g.members)]; !avoid(other) {
			return other, true
		}
	}
	return instance{}, false
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
