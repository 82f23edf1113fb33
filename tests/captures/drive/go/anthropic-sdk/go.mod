module capture

go 1.25

require (
	github.com/anthropics/anthropic-sdk-go v1.84.0
	go.opentelemetry.io/otel v1.38.0
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp v1.38.0
	go.opentelemetry.io/otel/sdk v1.38.0
)
