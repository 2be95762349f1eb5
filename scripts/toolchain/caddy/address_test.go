package main

import (
	"strings"
	"testing"
)

func TestAddressesThatMayNotGetRequests(t *testing.T) {
	remote, local := newPermitted(false, "10.0.0.1", 2019), newPermitted(true, "127.0.0.1", 2019)
	for _, host := range []string{"10.0.0.7", "fd00::7", "shop.example.com", "Shop.example.com.", "a-1.b2"} {
		if err := remote.check(host, 80); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for host, said := range map[string]string{
		"0.0.0.0": "not the address", "::": "not the address", "224.0.0.1": "not the address", "ff02::1": "not the address",
		"169.254.169.254": "link-local", "::ffff:169.254.169.254": "link-local", "fe80::1%eth0": "link-local",
		"127.0.0.1": "loopback", "127.9.9.9": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback",
		"localhost": "loopback", "x.LOCALHOST.": "loopback",
		"": "neither", "{env.HOME}": "neither", "unix//run/x": "neither", "a b": "neither", "127.1": "neither",
		"0x7f.1": "neither", "2130706433": "neither", "shop..example": "neither", "-a.b": "neither",
		strings.Repeat("a.", 127) + "a": "neither",
	} {
		if err := remote.check(host, 80); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v, expected: %s", host, err, said)
		}
	}
	for host, wanted := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "169.254.1.1": false} {
		if got := local.check(host, 80) == nil; got != wanted {
			t.Errorf("%s with allow_loopback: %t", host, got)
		}
		if local.check(host, 2019) == nil {
			t.Errorf("%s: the admin API may be reached", host)
		}
	}
	if remote.check("10.0.0.1", 2019) == nil || remote.check("shop.example.com", 2019) == nil {
		t.Error("the admin API may be reached")
	}
	for _, port := range []int{0, -1, 65536} {
		if remote.check("10.0.0.7", port) == nil {
			t.Errorf("port %d is none", port)
		}
	}
}
