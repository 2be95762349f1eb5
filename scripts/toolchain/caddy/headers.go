package main

import (
	"net/http"
	"strings"
)

const (
	mirrorHeader = "X-Adx-Mirror"
	prefixHeader = "X-Forwarded-Prefix"
)

// strip takes away a header that only the gateway may set, in every spelling: servers that hand headers on
// as variables (CGI, RFC 3875 section 4.1.18) do not tell X_Adx_Mirror from X-Adx-Mirror.
func strip(header http.Header, name string) {
	for written := range header {
		if len(written) == len(name) && strings.EqualFold(strings.ReplaceAll(written, "_", "-"), name) {
			delete(header, written)
		}
	}
}
