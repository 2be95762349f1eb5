package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(new(app)) }

const (
	defaultMirrorAtOnce    = 64
	defaultRememberSeconds = 600
)

var (
	gateways = caddy.NewUsagePool() // by state folder: a new configuration goes on with the same gateway
	current  atomic.Pointer[app]    // what the admin API talks to
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
	// How old the instances that were written down may be at a start (default 600).
	RememberSeconds int `json:"remember_seconds,omitempty"`
	// Whether instances may be registered at loopback addresses: for one machine that is all there is.
	AllowLoopback bool `json:"allow_loopback,omitempty"`
	// The same as admin.listen: no request is sent there, whatever is registered (default: as Caddy's).
	AdminListen string `json:"admin_listen,omitempty"`
}

// app is Caddy's app "adx": the gateway, for the modules of a configuration.
type app struct {
	settings
	gateway  *gateway
	previous *app        // whom the admin API talked to before
	isOver   atomic.Bool // stopped
}

// CaddyModule returns the Caddy module information.
func (*app) CaddyModule() caddy.ModuleInfo {
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
	if a.RememberSeconds == 0 {
		a.RememberSeconds = defaultRememberSeconds
	}
	if a.AdminListen == "" {
		a.AdminListen = caddy.DefaultAdminListen
	}
	folder, err := filepath.Abs(a.StateFolder)
	if err != nil {
		return fmt.Errorf("adx: state_folder: %w", err)
	}
	a.StateFolder = folder
	permitted, err := a.permitted()
	if err != nil {
		return err
	}
	if err := register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	return a.join(permitted, ctx.Logger())
}

func (a *app) permitted() (permitted, error) {
	admin, err := caddy.ParseNetworkAddress(a.AdminListen)
	if err != nil {
		return permitted{}, fmt.Errorf("adx: admin_listen: %w", err)
	}
	if admin.IsUnixNetwork() {
		return newPermitted(a.AllowLoopback, "", 0), nil
	}
	return newPermitted(a.AllowLoopback, admin.Host, int(admin.StartPort)), nil
}

func (a *app) join(permitted permitted, logger *zap.Logger) error {
	opened, _, err := gateways.LoadOrNew(a.StateFolder, func() (caddy.Destructor, error) {
		return openGateway(a.settings, permitted, logger)
	})
	if err != nil {
		return fmt.Errorf("adx: %w", err)
	}
	found := opened.(*gateway)
	if found.settings != a.settings {
		_, err := gateways.Delete(a.StateFolder)
		return errors.Join(errors.New("adx: other settings with the same state_folder need a restart"), err)
	}
	a.gateway = found
	return nil
}

// Start lets the admin API talk to this gateway.
func (a *app) Start() error {
	a.previous = current.Swap(a)
	return nil
}

// Stop gives the admin API back to the configuration before, if that still runs: it does when this one
// could not be started as a whole.
func (a *app) Stop() error {
	a.isOver.Store(true)
	before := a.previous
	if before != nil && before.isOver.Load() {
		before = nil
	}
	current.CompareAndSwap(a, before)
	a.previous = nil
	return nil
}

// Cleanup leaves the gateway, which ends when nobody uses it any more.
func (a *app) Cleanup() error {
	if a.gateway == nil {
		return nil
	}
	_ = a.Stop() // Caddy stops only the apps that it had started
	_, err := gateways.Delete(a.StateFolder)
	return err
}
