package main

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"
)

const longestHost = 253 // RFC 1035 section 2.3.4

// RFC 1123 section 2.1. The last label begins with a letter, so that nothing which some resolver
// takes for an address (127.1, 0x7f.1) is a name; braces, which Caddy would replace, are in none.
var hostName = regexp.MustCompile(`(?i)^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?$`)

// permitted says where requests may be sent. What is registered is the word of whoever may write to the registry:
// it must lead neither into this machine nor to a metadata service, which hands out credentials to whoever asks.
// A name is looked up when a connection is made, and trusted as the DNS is.
type permitted struct {
	allowLoopback bool
	adminHost     string
	adminPort     int // 0: the admin API is no TCP port
	own           map[netip.Addr]bool
}

func newPermitted(allowLoopback bool, adminHost string, adminPort int) permitted {
	made := permitted{allowLoopback: allowLoopback, adminHost: adminHost, adminPort: adminPort, own: map[netip.Addr]bool{}}
	found, _ := net.InterfaceAddrs() // without: loopback and the admin API's own address are still known
	for _, one := range found {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil {
			made.own[prefix.Addr().Unmap()] = true
		}
	}
	return made
}

// check is nil when requests may be sent there.
func (p permitted) check(host string, port int) error {
	if port < 1 || port > 65535 {
		return errors.New("no port that there is")
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return p.checkName(strings.ToLower(strings.TrimSuffix(host, ".")), port)
	}
	address = address.Unmap()
	switch {
	case address.IsUnspecified(), address.IsMulticast():
		return errors.New("not the address of one host")
	case address.IsLinkLocalUnicast(), address.Zone() != "":
		return errors.New("a link-local address")
	case address.IsLoopback() && !p.allowLoopback:
		return errors.New("a loopback address, and allow_loopback is not set")
	case port == p.adminPort && (address.IsLoopback() || p.own[address] || host == p.adminHost):
		return errors.New("the gateway's own admin API")
	}
	return nil
}

func (p permitted) checkName(name string, port int) error {
	if len(name) > longestHost || !hostName.MatchString(name) {
		return errors.New("neither an address nor the name of a host")
	}
	if (name == "localhost" || strings.HasSuffix(name, ".localhost")) && !p.allowLoopback { // RFC 6761 section 6.3
		return errors.New("a name for loopback, and allow_loopback is not set")
	}
	if port == p.adminPort {
		return errors.New("a name with the port of the gateway's own admin API, where it may lead")
	}
	return nil
}
