package main

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// noRelease is the label of what no release answered, or of instances that do not say which they are.
const noRelease = "none"

var (
	requestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "adx_gateway_requests_total",
		Help: "Requests answered, by service, release and status code.",
	}, []string{"service", "release", "code"})
	requestSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "adx_gateway_request_duration_seconds",
		Help: "Time from a request's arrival to the end of its answer, by service and release.",
		Buckets: []float64{
			.001, .0025, .005, .01, .025, .05, .1, .2, .3, .4, .5, .6, .8, 1, 1.5, 2, 3, 5, 10, 30,
		},
	}, []string{"service", "release"})
	retriesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "adx_gateway_retries_total",
		Help: "Connections that an instance refused, so that another one was tried.",
	}, []string{"service", "release"})
	mirroredTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "adx_gateway_mirrored_requests_total",
		Help: "Copies of requests: the status code of the answer that was thrown away, or dropped, or error.",
	}, []string{"service", "release", "code"})
	collectors = []prometheus.Collector{requestsTotal, requestSeconds, retriesTotal, mirroredTotal}
)

// register puts the metrics into the registry of a configuration. The values
// live on from one configuration to the next.
func register(registry *prometheus.Registry) error {
	for _, collector := range collectors {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// forget drops the series of a release that is gone for good.
func forget(service, release string) {
	labels := prometheus.Labels{"service": service, "release": release}
	requestsTotal.DeletePartialMatch(labels)
	requestSeconds.DeletePartialMatch(labels)
	retriesTotal.DeletePartialMatch(labels)
	mirroredTotal.DeletePartialMatch(labels)
}

func label(release string) string {
	if release == "" {
		return noRelease
	}
	return release
}

func countRequest(service, release string, code int) {
	requestsTotal.WithLabelValues(service, label(release), strconv.Itoa(code)).Inc()
}

func observe(service, release string, code int, took time.Duration) {
	countRequest(service, release, code)
	requestSeconds.WithLabelValues(service, label(release)).Observe(took.Seconds())
}

// seen remembers which releases were counted lately, so that every deployment
// does not leave series behind for ever.
type seen struct {
	mutex sync.Mutex
	last  map[[2]string]time.Time
}

const forgetAfter = 6 * time.Hour

// note takes the releases that exist now, and forgets those that have not existed for long.
func (s *seen) note(now time.Time, present [][2]string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.last == nil {
		s.last = make(map[[2]string]time.Time)
	}
	for _, one := range present {
		s.last[one] = now
	}
	for one, when := range s.last {
		if now.Sub(when) > forgetAfter {
			forget(one[0], one[1])
			delete(s.last, one)
		}
	}
}
