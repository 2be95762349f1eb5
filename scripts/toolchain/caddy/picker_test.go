package main

import (
	"fmt"
	"sync"
	"testing"
)

func TestEveryRoundIsExact(t *testing.T) {
	weights := map[string]int{"blue": 62, "green": 37, "red": 1, "off": 0}
	p := newPicker(weights)
	for round := range 2 * rounds {
		counted := make(map[string]int)
		for range whole {
			counted[p.next()]++
		}
		for name, weight := range weights {
			if counted[name] != weight {
				t.Fatalf("round %d: %s got %d, not %d", round, name, counted[name], weight)
			}
		}
	}
}

func TestSharesHoldAllTheTime(t *testing.T) {
	p := newPicker(map[string]int{"blue": 50, "green": 50})
	balance := 0
	for range 10 * whole {
		if p.next() == "blue" {
			balance++
		} else {
			balance--
		}
		if balance < -1 || balance > 1 {
			t.Fatalf("one release is %d ahead", balance)
		}
	}
}

// A client that asks for two things in turn must not get one of them from one release only.
func TestNoRhythmOfAClientFavoursARelease(t *testing.T) {
	p := newPicker(map[string]int{"blue": 50, "green": 50})
	even := 0
	for number := range rounds * whole {
		if p.next() == "green" && number%2 == 0 {
			even++
		}
	}
	if share := float64(even) / (rounds * whole / 2); share < 0.45 || share > 0.55 {
		t.Fatalf("%.0f %% of every second request went to green", 100*share)
	}
}

func TestConcurrentRequestsAreCountedOnce(t *testing.T) {
	p := newPicker(map[string]int{"blue": 90, "green": 10})
	var group sync.WaitGroup
	counts := make([]int, 8)
	for worker := range counts {
		group.Go(func() {
			for range 1000 {
				if p.next() == "green" {
					counts[worker]++
				}
			}
		})
	}
	group.Wait()
	sum := 0
	for _, count := range counts {
		sum += count
	}
	if sum != 800 {
		t.Fatalf("green got %d of 8000", sum)
	}
}

func TestHashKeepsClientsWhereTheyAreWhileACanaryGrows(t *testing.T) {
	small, large := newPicker(map[string]int{"blue": 95, "green": 5}), newPicker(map[string]int{"blue": 50, "green": 50})
	before, after := 0, 0
	for number := range 10_000 {
		client := fmt.Sprint("session-", number)
		wasGreen, isGreen := small.byHash(client, nil) == "green", large.byHash(client, nil) == "green"
		if wasGreen && !isGreen {
			t.Fatalf("%s went back", client)
		}
		before += count(wasGreen)
		after += count(isGreen)
	}
	if before < 400 || before > 600 || after < 4700 || after > 5300 {
		t.Fatalf("green had %d, then %d of 10000", before, after)
	}
	if chosen := small.byHash("session-1", []string{"blue", "green"}); chosen != "" {
		t.Fatalf("chose %q among none", chosen)
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func TestInstancesShareByWeight(t *testing.T) {
	members := newGroup([]instance{{Address: "a", Release: "r", Weight: 1}, {Address: "b", Release: "r", Weight: 3}})
	counted := make(map[string]int)
	for range 40 {
		chosen, _ := members.next(func(instance) bool { return false })
		counted[chosen.Address]++
	}
	if counted["a"] != 10 || counted["b"] != 30 {
		t.Fatal(counted)
	}
	if _, ok := members.next(func(instance) bool { return true }); ok {
		t.Fatal("chose an instance that is to be avoided")
	}
}
