// Calls Anthropic's API through its client for Go, which writes spans by itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/toolrunner"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

type call struct {
	outcome string
	stream  bool
	retries int
}

var calls = []call{
	{"plain", false, 0},
	{"plain", true, 0},
	{"tool", false, 0},
	{"tools", true, 0},
	{"cached", false, 0},
	{"cached", true, 0},
	{"length", false, 0},
	{"plain 429", false, 0},
	{"plain 500", true, 0},
	{"plain 429-once", false, 2},
	{"plain cut", true, 0},
	{"plain broken", true, 0},
	{"plain left", true, 0},
	{"plain 529", false, 1},
}

var asked = anthropic.MessageNewParams{
	Model:       "claude-sonnet-4-0",
	MaxTokens:   512,
	Temperature: anthropic.Float(0.2),
	Messages:    []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Why?"))},
	Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{}},
	}}},
}

func (c call) make(client anthropic.Client, number int) error {
	how := []option.RequestOption{
		option.WithHeader("x-call", fmt.Sprintf("%d %s", number, c.outcome)),
		option.WithMaxRetries(c.retries),
	}
	if !c.stream {
		_, err := client.Messages.New(context.Background(), asked, how...)
		return err
	}
	stream := client.Messages.NewStreaming(context.Background(), asked, how...)
	defer stream.Close()
	for stream.Next() {
		if strings.HasSuffix(c.outcome, "left") {
			break
		}
	}
	return stream.Err()
}

type noArguments struct{}

// runTool makes two calls, which say in their prompts which they are, and runs a tool in between.
func runTool(client anthropic.Client) error {
	answer := func(context.Context, noArguments) (anthropic.BetaToolResultBlockParamContentUnion, error) {
		text := anthropic.BetaTextBlockParam{Text: "x-call: 16 plain"}
		return anthropic.BetaToolResultBlockParamContentUnion{OfText: &text}, nil
	}
	weather, err := toolrunner.NewBetaToolFromBytes("weather", "weather", []byte(`{"type":"object"}`), answer)
	if err != nil {
		return err
	}
	said := anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock("x-call: 15 tool"))
	params := anthropic.BetaMessageNewParams{
		Model: asked.Model, MaxTokens: 512, Messages: []anthropic.BetaMessageParam{said},
	}
	runner := client.Beta.Messages.NewToolRunner([]anthropic.BetaTool{weather}, anthropic.BetaToolRunnerParams{
		BetaMessageNewParams: params,
	})
	_, err = runner.RunToCompletion(context.Background())
	return err
}

// count counts tokens, which is no call of a model; the second time it fails.
func count(client anthropic.Client) error {
	params := anthropic.MessageCountTokensParams{Model: asked.Model, Messages: asked.Messages}
	for _, said := range []string{"17 plain", "18 plain 429"} {
		how := []option.RequestOption{option.WithHeader("x-call", said), option.WithMaxRetries(0)}
		_, err := client.Messages.CountTokens(context.Background(), params, how...)
		if (err != nil) != strings.HasSuffix(said, "429") {
			return fmt.Errorf("call %s: %w", said, err)
		}
	}
	return nil
}

func main() {
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	client := anthropic.NewClient(option.WithBaseURL(os.Getenv("UPSTREAM")), option.WithAPIKey("made-up"))
	for at, one := range calls {
		_, fault, _ := strings.Cut(one.outcome, " ")
		wanted := fault != "" && fault != "left" && !strings.HasSuffix(fault, "-once")
		if err := one.make(client, at+1); (err != nil) != wanted {
			log.Fatalf("call %d (%s): %v", at+1, one.outcome, err)
		}
	}
	if err := errors.Join(runTool(client), count(client)); err != nil {
		log.Fatal(err)
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
