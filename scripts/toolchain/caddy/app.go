package main

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(app{}) }

const defaultMirrorAtOnce = 64

var (
	gateways = caddy.NewUsagePool()  // by settings: a new configuration with the same ones goes on with the same gateway
	current  atomic.Pointer[gateway] // what the admin API talks to
)

// settings say where a gateway's registry and memory are.
type settings struct {
	// Where a Consul agent answers, for example http://127.0.0.1:8500.
	ConsulURL string `json:"consul_url"`
	// A file with the token for Consul; read for every question.
	ConsulTokenFile string `json:"consul_token_file,omitempty"`
	// Where splits and the instances known last are kept.
	StateFolder string `json:"state_folder"`
	// How many copies of requests of one service may be under way at once (default 64).
	MirrorAtOnce int `json:"mirror_at_once,omitempty"`
}

// app is Caddy's app "adx": the gateway, for the modules of a configuration.
type app struct {
	settings
	gateway *gateway
}

// CaddyModule returns the Caddy module information.
func (app) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "adx", New: func() caddy.Module { return new(app) }}
}

// Provision opens the gateway, or joins the one that an earlier configuration opened.
func (a *app) Provision(ctx caddy.Context) error {
	if a.ConsulURL == "" || a.StateFolder == "" {
		return errors.New("adx: consul_url and state_folder are needed")
	}
	if a.MirrorAtOnce == 0 {
		a.MirrorAtOnce = defaultMirrorAtOnce
	}
	if err := register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	logger := ctx.Logger()
	opened, _, err := gateways.LoadOrNew(a.settings, func() (caddy.Destructor, error) {
		return openGateway(a.settings, logger)
	})
	if err != nil {
		return fmt.Errorf("adx: %w", err)
	}
	a.gateway = opened.(*gateway)
	return nil
}

// Start lets the admin API talk to this gateway.
func (a *app) Start() error {
	current.Store(a.gateway)
	return nil
}

// Stop has nothing to do: Cleanup ends the gateway.
func (*app) Stop() error { return nil }

// Cleanup leaves the gateway, which ends when nobody uses it any more.
func (a *app) Cleanup() error {
	if a.gateway == nil {
		return nil
	}
	isLast, err := gateways.Delete(a.settings)
	if isLast {
		current.CompareAndSwap(a.gateway, nil)
	}
	return err
}
