// Plays Envoy to Envoy AI Gateway's external processor, which writes the spans: each call goes through its router
// filter and its upstream filter as Envoy would send it, and between the two to the fake provider.
//
// Run by record.py with EXTPROC, the processor's binary (`go build ./cmd/extproc` of its repository), and UPSTREAM.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	pb "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
)

const backendPath = "xds.upstream_host_metadata.filter_metadata['aigateway.envoy.io']['per_route_rule_backend_name']"
const config = `version: dev
backends:
- {name: openai, schema: {name: OpenAI, prefix: v1}}
- {name: anthropic, schema: {name: Anthropic}}
- {name: azure, schema: {name: AzureOpenAI, version: "2025-04-01"}}
models: []
`

type call struct{ outcome, backend, path, body string }

const ask = `"messages":[{"role":"user","content":"What is the largest city of Peru?"}],"temperature":0.2`
const tools = `,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]`
const usage = `,"stream":true,"stream_options":{"include_usage":true}`
const chat, messages = "/v1/chat/completions", "/anthropic/v1/messages"

var calls = []call{
	{"plain", "openai", chat, `{"model":"gpt-4o",` + ask + `}`},
	{"plain", "openai", chat, `{"model":"gpt-4o",` + ask + usage + `}`},
	{"tool", "openai", chat, `{"model":"gpt-4o",` + ask + tools + `}`},
	{"tools", "openai", chat, `{"model":"gpt-4o",` + ask + tools + usage + `}`},
	{"plain 429", "openai", chat, `{"model":"gpt-4o-mini",` + ask + `}`},
	{"plain 500", "openai", chat, `{"model":"gpt-4o-mini",` + ask + usage + `}`},
	{"plain cut", "openai", chat, `{"model":"gpt-4o",` + ask + usage + `}`},
	{"plain left", "openai", chat, `{"model":"gpt-4o",` + ask + usage + `}`},
	{"cached", "openai", chat, `{"model":"gpt-4o",` + ask + `}`},
	{"reasoning", "openai", chat, `{"model":"o3-mini","max_completion_tokens":2000,"messages":[{"role":"user","content":"Why?"}]}`},
	{"plain", "openai", chat, `{"model":"gpt-4o",` + ask + `,"stream":true}`},
	{"plain", "openai", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"one text"}`},
	{"plain", "openai", "/v1/responses", `{"model":"gpt-4o","input":"one text","stream":true}`},
	{"tool", "openai", "/v1/responses", `{"model":"gpt-4o","input":"one text"}`},
	{"plain", "azure", chat, `{"model":"gpt-4o",` + ask + `}`},
	{"cached", "anthropic", messages, `{"model":"claude-sonnet-4-0","max_tokens":512,` + ask + `}`},
	{"tool", "anthropic", messages, `{"model":"claude-sonnet-4-0","max_tokens":512,` + ask + `,"stream":true}`},
	{"plain 529", "anthropic", messages, `{"model":"claude-sonnet-4-0","max_tokens":512,` + ask + `}`},
	{"plain", "anthropic", messages + "/count_tokens", `{"model":"claude-sonnet-4-0","messages":[{"role":"user","content":"Why?"}]}`},
	{"plain 429", "anthropic", messages + "/count_tokens", `{"model":"claude-sonnet-4-0","messages":[{"role":"user","content":"Why?"}]}`},
	{"plain broken", "anthropic", messages, `{"model":"claude-sonnet-4-0","max_tokens":512,` + ask + `,"stream":true}`},
}

// filter is one of the two places in Envoy from which the processor is asked.
type filter struct {
	pb.ExternalProcessor_ProcessClient
}

func (f filter) ask(request *pb.ProcessingRequest) *pb.ProcessingResponse {
	if err := f.Send(request); err != nil {
		log.Fatal(err)
	}
	response, err := f.Recv()
	if err != nil {
		log.Fatal(err)
	}
	return response
}

func headerMap(headers map[string]string) *pb.HttpHeaders {
	found := &core.HeaderMap{}
	for key, value := range headers {
		found.Headers = append(found.Headers, &core.HeaderValue{Key: key, RawValue: []byte(value)})
	}
	return &pb.HttpHeaders{Headers: found}
}

// change applies what a response says of headers, and returns what it says of the body.
func change(headers map[string]string, common *pb.CommonResponse) []byte {
	for _, set := range common.GetHeaderMutation().GetSetHeaders() {
		headers[set.Header.Key] = string(set.Header.RawValue) + set.Header.Value
	}
	return common.GetBodyMutation().GetBody()
}

func (f filter) requestHeaders(headers map[string]string, attributes map[string]*structpb.Struct) []byte {
	request := &pb.ProcessingRequest_RequestHeaders{RequestHeaders: headerMap(headers)}
	response := f.ask(&pb.ProcessingRequest{Request: request, Attributes: attributes})
	return change(headers, response.GetRequestHeaders().GetResponse())
}

func (f filter) requestBody(headers map[string]string, body []byte) {
	request := &pb.ProcessingRequest_RequestBody{RequestBody: &pb.HttpBody{Body: body, EndOfStream: true}}
	change(headers, f.ask(&pb.ProcessingRequest{Request: request}).GetRequestBody().GetResponse())
}

func (f filter) responseHeaders(response *http.Response) {
	headers := map[string]string{":status": fmt.Sprint(response.StatusCode)}
	for key := range response.Header {
		headers[strings.ToLower(key)] = response.Header.Get(key)
	}
	f.ask(&pb.ProcessingRequest{Request: &pb.ProcessingRequest_ResponseHeaders{ResponseHeaders: headerMap(headers)}})
}

func (f filter) responseBody(body []byte, end bool) {
	request := &pb.ProcessingRequest_ResponseBody{ResponseBody: &pb.HttpBody{Body: body, EndOfStream: end}}
	f.ask(&pb.ProcessingRequest{Request: request})
}

// answer hands the answer on as it comes in; a connection that breaks ends without a last part, as in Envoy.
func (f filter) answer(response *http.Response, stream, leave bool) {
	if !stream || response.StatusCode != 200 {
		body, _ := io.ReadAll(response.Body)
		f.responseBody(body, true)
		return
	}
	for part := make([]byte, 4096); ; {
		n, err := response.Body.Read(part)
		if n > 0 {
			f.responseBody(part[:n], false)
		}
		if err == io.EOF {
			f.responseBody(nil, true)
		}
		if err != nil || leave {
			return
		}
	}
}

func (c call) make(client pb.ExternalProcessorClient, number int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	router, _ := client.Process(ctx)
	upstream, err := client.Process(ctx)
	if err != nil {
		log.Fatal(err)
	}
	headers := map[string]string{":path": c.path, ":method": "POST", "content-type": "application/json"}
	headers["x-request-id"] = fmt.Sprintf("request-%d", number)
	filter{router}.requestHeaders(headers, nil)
	filter{router}.requestBody(headers, []byte(c.body))
	backend, _ := structpb.NewStruct(map[string]any{backendPath: c.backend})
	body := filter{upstream}.requestHeaders(headers, map[string]*structpb.Struct{"envoy.filters.http.ext_proc": backend})
	if body == nil {
		body = []byte(c.body)
	}
	request, _ := http.NewRequest("POST", os.Getenv("UPSTREAM")+headers[":path"], bytes.NewReader(body))
	request.Header.Set("x-call", fmt.Sprintf("%d %s", number, c.outcome))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	filter{upstream}.responseHeaders(response)
	filter{upstream}.answer(response, strings.Contains(c.body, `"stream":true`), strings.HasSuffix(c.outcome, "left"))
}

// begin starts the processor, which exports by the environment that it gets from record.py.
func begin(folder string) (*exec.Cmd, *grpc.ClientConn) {
	settings, socket := filepath.Join(folder, "config.yaml"), "unix://"+filepath.Join(folder, "socket")
	if err := os.WriteFile(settings, []byte(config), 0o600); err != nil {
		log.Fatal(err)
	}
	processor := exec.Command(os.Getenv("EXTPROC"), "-configPath", settings, "-extProcAddr", socket, "-adminPort", "0")
	processor.Stderr = os.Stderr
	if err := processor.Start(); err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return processor, connection
}

func main() {
	folder, err := os.MkdirTemp("", "capture")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	processor, connection := begin(folder)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(folder, "socket")); err == nil {
			break
		}
	}
	for at, one := range calls {
		one.make(pb.NewExternalProcessorClient(connection), at+1)
	}
	_ = processor.Process.Signal(syscall.SIGTERM) // on which it flushes its spans
	_ = processor.Wait()
}
