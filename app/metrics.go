package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is the handler of /metrics. Labels have few values by construction:
// no session, principal or path is one.
func (a *App) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chitin", Name: name, Help: help}, f))
	}
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge("calls_in_flight", "Tool calls under way.", func() float64 { return float64(a.runner.InFlight()) })
	gauge("journal_records", "Number of the newest journal record.", func() float64 { return float64(a.journal.Seq()) })
	gauge("journal_broken", "1 when the journal refuses records.", func() float64 {
		if a.journal.Err() != nil {
			return 1
		}
		return 0
	})
	gauge("policy_generation", "Configurations taken into use since the start.", func() float64 { return float64(a.generation.Load()) })
	a.serverMetrics(gauge, reg)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}
