package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() { caddy.RegisterModule(upstreams{}) }

const decisionKey = "adx.decision"

// upstreams tells reverse_proxy the instance that the handler adx_gateway, which must come
// before it, decided for. Asked again for the same request, it names another one.
type upstreams struct{}

// CaddyModule returns the Caddy module information.
func (upstreams) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.upstreams.adx",
		New: func() caddy.Module { return new(upstreams) },
	}
}

// GetUpstreams gives one instance, or none.
func (upstreams) GetUpstreams(r *http.Request) ([]*reverseproxy.Upstream, error) {
	decided, ok := caddyhttp.GetVar(r.Context(), decisionKey).(*decision)
	if !ok {
		return nil, nil
	}
	found, ok := decided.next(r.Context())
	if !ok {
		return nil, nil
	}
	return []*reverseproxy.Upstream{{Dial: found.Address}}, nil
}
