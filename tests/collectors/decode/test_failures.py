"""What clients of many languages say of a failure, as an error's type beside a sentence or within it."""

from collections.abc import Callable

import pytest
from tests.collectors.decode.otlp_bodies import CALL, request, span_json

from undertow.batch import Decoded
from undertow_collectors.decode import failures

Read = Callable[..., Decoded]
Told = tuple[int | None, str | None]
LEFT: Told = (None, "cancelled")

SAID: list[tuple[str | None, str, int | None, str]] = [
    (None, "OpenAI API error: 429 Too Many Requests", 429, "rate_limited"),
    (None, "Request failed with status code 429", 429, "rate_limited"),
    ("AxiosError", "Request failed with status code 503", 503, "server_error"),
    (
        None,
        'POST "https://api.openai.com/v1/chat/completions": 429 Too Many Requests {"message":"Rate limit"}',
        429,
        "rate_limited",
    ),
    ("*openai.Error", 'POST "https://api.openai.com/v1/chat/completions": 401 Unauthorized {', 401, "auth"),
    (
        "*errors.errorString",
        "error, status code: 429, status: 429 Too Many Requests, message: Rate limit",
        429,
        "rate_limited",
    ),
    (
        "*url.Error",
        'Post "https://api.openai.com/v1/chat/completions": context deadline exceeded (Client.Timeout exceede',
        None,
        "timeout",
    ),
    (
        "*url.Error",
        'Post "https://api.openai.com/v1/chat/completions": dial tcp: lookup api.openai.com: no such host',
        None,
        "connection",
    ),
    (
        "*url.Error",
        'Post "https://api.openai.com": dial tcp 10.0.0.1:443: connect: connection refused',
        None,
        "connection",
    ),
    ("*url.Error", 'Post "https://api.openai.com": net/http: TLS handshake timeout', None, "timeout"),
    ("*errors.errorString", "http2: server sent GOAWAY and closed the connection; LastStreamID=1", None, "connection"),
    ("*errors.errorString", "stream error: stream ID 5; INTERNAL_ERROR; received from peer", None, "connection"),
    ("*errors.errorString", "EOF", None, "connection"),
    ("io.ErrUnexpectedEOF", "unexpected EOF", None, "connection"),
    ("*url.Error", "read tcp 10.1.2.3:4545->104.18.6.192:443: read: connection reset by peer", None, "connection"),
    ("*url.Error", "x509: certificate signed by unknown authority", None, "connection"),
    ("*googleapi.Error", "googleapi: Error 429: Resource exhausted, rateLimitExceeded", 429, "rate_limited"),
    ("*status.Error", "rpc error: code = ResourceExhausted desc = quota exceeded", None, "rate_limited"),
    ("*status.Error", "rpc error: code = Unavailable desc = connection error", None, "connection"),
    ("*status.Error", "rpc error: code = DeadlineExceeded desc = context deadline exceeded", None, "timeout"),
    ("*status.Error", "rpc error: code = Canceled desc = context canceled", None, "cancelled"),
    (
        "*smithy.OperationError",
        "operation error Bedrock Runtime: Converse, https response error StatusCode: 429, RequestID: 4f2, Thr",
        429,
        "rate_limited",
    ),
    (
        "*types.ValidationException",
        "operation error Bedrock Runtime: InvokeModel, https response error StatusCode: 400, RequestID: abc, ",
        400,
        "invalid_request",
    ),
    ("com.openai.errors.RateLimitException", "429: Rate limit reached for gpt-4o", 429, "rate_limited"),
    ("com.openai.errors.InternalServerException", "500: The server had an error", 500, "server_error"),
    ("com.openai.errors.UnauthorizedException", "401: Incorrect API key", 401, "auth"),
    ("com.openai.errors.PermissionDeniedException", "403: x", 403, "auth"),
    ("com.openai.errors.OpenAIIoException", "Request failed", None, "connection"),
    ("com.anthropic.errors.AnthropicIoException", "Request failed", None, "connection"),
    ("java.net.http.HttpTimeoutException", "request timed out", None, "timeout"),
    ("java.net.SocketTimeoutException", "Read timed out", None, "timeout"),
    ("java.net.ConnectException", "Connection refused", None, "connection"),
    ("java.net.UnknownHostException", "api.openai.com", None, "connection"),
    ("javax.net.ssl.SSLHandshakeException", "PKIX path building failed", None, "connection"),
    ("java.io.EOFException", "\\n not found: limit=0 content=…", None, "connection"),
    ("okhttp3.internal.http2.StreamResetException", "stream was reset: CANCEL", None, "connection"),
    (
        "org.springframework.web.client.HttpClientErrorException$TooManyRequests",
        '429 Too Many Requests: "{<EOL>..."',
        429,
        "rate_limited",
    ),
    (
        "org.springframework.web.client.HttpServerErrorException$ServiceUnavailable",
        "503 Service Unavailable: [no body]",
        503,
        "server_error",
    ),
    (
        "org.springframework.web.client.ResourceAccessException",
        'I/O error on POST request for "https://api.openai.com/v1/chat/completions": timeout',
        None,
        "timeout",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientResponseException$TooManyRequests",
        "429 Too Many Requests from POST https://api.openai.com/v1/chat/completions",
        429,
        "rate_limited",
    ),
    (
        "org.springframework.web.reactive.function.client.WebClientRequestException",
        "Connection prematurely closed BEFORE response",
        None,
        "connection",
    ),
    (
        "reactor.netty.http.client.PrematureCloseException",
        "Connection prematurely closed DURING response",
        None,
        "connection",
    ),
    (
        "org.springframework.ai.retry.NonTransientAiException",
        'HTTP 401 - {"error": {"message": "Incorrect API key provided"}}',
        401,
        "auth",
    ),
    ("org.springframework.ai.retry.TransientAiException", "HTTP 503 - upstream", 503, "server_error"),
    (
        "dev.langchain4j.exception.RateLimitException",
        '{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}',
        None,
        "rate_limited",
    ),
    (
        "dev.langchain4j.exception.TimeoutException",
        "java.net.http.HttpTimeoutException: request timed out",
        None,
        "timeout",
    ),
    ("dev.langchain4j.exception.InternalServerException", "x", None, "server_error"),
    ("dev.langchain4j.exception.AuthenticationException", "x", None, "auth"),
    ("dev.langchain4j.exception.InvalidRequestException", "x", None, "invalid_request"),
    ("dev.langchain4j.exception.ModelNotFoundException", "x", None, "invalid_request"),
    ("dev.langchain4j.exception.ContentFilteredException", "x", None, "content_filter"),
    (
        "software.amazon.awssdk.services.bedrockruntime.model.ThrottlingException",
        "Too many requests, please wait (Service: BedrockRuntime, Status Code: 429, Request ID: 12)",
        429,
        "rate_limited",
    ),
    (
        "software.amazon.awssdk.services.bedrockruntime.model.ModelNotReadyException",
        "x (Service: BedrockRuntime, Status Code: 429, Request ID: 12)",
        429,
        "rate_limited",
    ),
    (
        "software.amazon.awssdk.core.exception.ApiCallTimeoutException",
        "Client execution did not complete before the specified timeout configuration: 5000 millis",
        None,
        "timeout",
    ),
    (
        "software.amazon.awssdk.core.exception.SdkClientException",
        "Unable to execute HTTP request: Read timed out",
        None,
        "timeout",
    ),
    (
        "System.ClientModel.ClientResultException",
        "HTTP 429 (requests: rate_limit_exceeded)\n\nRate limit",
        429,
        "rate_limited",
    ),
    (
        "System.ClientModel.ClientResultException",
        "Service request failed.\nStatus: 503 (Service Unavailable)",
        503,
        "server_error",
    ),
    ("Azure.RequestFailedException", "Service request failed.\nStatus: 429 (Too Many Requests)", 429, "rate_limited"),
    (
        "Microsoft.SemanticKernel.HttpOperationException",
        "Service request failed.\nStatus: 401 (Unauthorized)",
        401,
        "auth",
    ),
    (
        "System.Net.Http.HttpRequestException",
        "Response status code does not indicate success: 429 (Too Many Requests).",
        429,
        "rate_limited",
    ),
    ("System.Net.Http.HttpRequestException", "Connection refused (localhost:1234)", None, "connection"),
    ("System.Net.Http.HttpRequestException", "No such host is known. (api.openai.com:443)", None, "connection"),
    ("System.Net.Http.HttpIOException", "The response ended prematurely. (ResponseEnded)", None, "connection"),
    (
        "System.Threading.Tasks.TaskCanceledException",
        "The request was canceled due to the configured HttpClient.Timeout of 100 seconds elapsing.",
        None,
        "timeout",
    ),
    ("System.TimeoutException", "The operation was canceled.", None, "timeout"),
    (
        "reqwest::Error",
        "HTTP status client error (429 Too Many Requests) for url (https://api.openai.com/v1/chat/completions",
        429,
        "rate_limited",
    ),
    ("reqwest::Error", "HTTP status server error (503 Service Unavailable) for url (https://x)", 503, "server_error"),
    (
        "reqwest::Error",
        "error sending request for url (https://api.openai.com/v1/chat/completions): operation timed out",
        None,
        "timeout",
    ),
    (
        "reqwest::Error",
        "error sending request for url (https://api.openai.com/v1/chat/completions)",
        None,
        "connection",
    ),
    ("reqwest::Error", "error decoding response body: connection closed before message completed", None, "connection"),
    (
        "CompletionError",
        'ProviderError: {"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}',
        None,
        "rate_limited",
    ),
    ("CompletionError", "HttpError: Invalid status code 429 Too Many Requests with message: {}", 429, "rate_limited"),
    ("hyper::Error", "hyper::Error(IncompleteMessage)", None, "connection"),
    ("APIConnectionError", "Connection error.", None, "connection"),
    ("APIConnectionTimeoutError", "Request timed out.", None, "timeout"),
    ("RateLimitError", "429 Rate limit reached", 429, "rate_limited"),
    (
        "APIError",
        '529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        529,
        "server_error",
    ),
    ("Error", '529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', 529, "server_error"),
    ("APIUserAbortError", "Request was aborted.", None, "cancelled"),
    ("AbortError", "This operation was aborted", None, "cancelled"),
    ("AbortError", "The user aborted a request.", None, "cancelled"),
    ("TimeoutError", "The operation was aborted due to timeout", None, "timeout"),
    ("TypeError", "terminated", None, "connection"),
    ("TypeError", "fetch failed", None, "connection"),
    ("Error", "ECONNRESET", None, "connection"),
    ("Error", "connect ECONNREFUSED 127.0.0.1:8080", None, "connection"),
    ("Error", "getaddrinfo ENOTFOUND api.openai.com", None, "connection"),
    ("Error", "connect ETIMEDOUT 1.2.3.4:443", None, "timeout"),
    ("Error", "read ECONNRESET", None, "connection"),
    ("Error", "socket hang up", None, "connection"),
    ("UND_ERR_HEADERS_TIMEOUT", "Headers Timeout Error", None, "timeout"),
    ("HeadersTimeoutError", "Headers Timeout Error", None, "timeout"),
    ("BodyTimeoutError", "Body Timeout Error", None, "timeout"),
    ("SocketError", "other side closed", None, "connection"),
    ("AI_APICallError", "Too Many Requests", None, "rate_limited"),
    ("AI_RetryError", "Failed after 3 attempts. Last error: Rate limit reached for requests", None, "rate_limited"),
    ("AI_APICallError", "Overloaded", None, "server_error"),
    (
        "GoogleGenerativeAIFetchError",
        "[GoogleGenerativeAI Error]: Error fetching from https://x: [503 Service Unavailable] Try later.",
        503,
        "server_error",
    ),
    (
        "ApiError",
        '{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}',
        429,
        "rate_limited",
    ),
    ("ClientError", 'got status: 429 Too Many Requests. {"error":{"code":429', 429, "rate_limited"),
    ("openai.RateLimitError", "Error code: 429 - {'error': {'message': 'x'}}", 429, "rate_limited"),
    ("openai.APITimeoutError", "Request timed out.", None, "timeout"),
    ("httpx.ReadTimeout", "", None, "timeout"),
    ("httpx.ConnectTimeout", "", None, "timeout"),
    ("httpx.PoolTimeout", "", None, "timeout"),
    ("httpx.ReadError", "", None, "connection"),
    ("httpx.ConnectError", "[Errno 111] Connection refused", None, "connection"),
    (
        "httpx.HTTPStatusError",
        "Client error '429 Too Many Requests' for url 'https://api.mistral.ai/v1/chat/completions'",
        429,
        "rate_limited",
    ),
    ("httpx.HTTPStatusError", "Server error '502 Bad Gateway' for url 'https://api.x'", 502, "server_error"),
    ("requests.exceptions.HTTPError", "429 Client Error: Too Many Requests for url: https://x", 429, "rate_limited"),
    ("requests.exceptions.HTTPError", "503 Server Error: Service Unavailable for url: https://x", 503, "server_error"),
    (
        "requests.exceptions.ReadTimeout",
        "HTTPSConnectionPool(host='api.x', port=443): Read timed out. (read timeout=600)",
        None,
        "timeout",
    ),
    (
        "requests.exceptions.ConnectionError",
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
        None,
        "connection",
    ),
    (
        "aiohttp.client_exceptions.ClientResponseError",
        "429, message='Too Many Requests', url='https://x'",
        429,
        "rate_limited",
    ),
    ("aiohttp.client_exceptions.ServerDisconnectedError", "Server disconnected", None, "connection"),
    (
        "aiohttp.client_exceptions.ClientConnectorError",
        "Cannot connect to host x:443 ssl:default [Connect call failed]",
        None,
        "connection",
    ),
    ("aiohttp.client_exceptions.ClientOSError", "[Errno 104] Connection reset by peer", None, "connection"),
    ("asyncio.TimeoutError", "", None, "timeout"),
    ("asyncio.exceptions.CancelledError", "", None, "cancelled"),
    ("google.genai.errors.ClientError", "429 RESOURCE_EXHAUSTED. {'error': {'code': 429}}", 429, "rate_limited"),
    ("google.genai.errors.ServerError", "503 UNAVAILABLE. {'error': {'code': 503}}", 503, "server_error"),
    ("google.api_core.exceptions.ResourceExhausted", "429 Quota exceeded for aiplatform", 429, "rate_limited"),
    ("google.api_core.exceptions.ServiceUnavailable", "503 failed to connect to all addresses", 503, "server_error"),
    ("google.api_core.exceptions.DeadlineExceeded", "504 Deadline Exceeded", 504, "timeout"),
    ("google.api_core.exceptions.InvalidArgument", "400 Request contains an invalid argument.", 400, "invalid_request"),
    ("google.api_core.exceptions.PermissionDenied", "403 Permission denied", 403, "auth"),
    (
        "botocore.errorfactory.ThrottlingException",
        "An error occurred (ThrottlingException) when calling the Converse operation (reached max retries: 4)",
        None,
        "rate_limited",
    ),
    (
        "ClientError",
        "An error occurred (ThrottlingException) when calling the Converse operation",
        None,
        "rate_limited",
    ),
    (
        "botocore.exceptions.ClientError",
        "An error occurred (ServiceUnavailableException) when calling the Converse operation",
        None,
        "server_error",
    ),
    (
        "botocore.exceptions.ClientError",
        "An error occurred (ValidationException) when calling the Converse operation: bad",
        None,
        "invalid_request",
    ),
    (
        "botocore.exceptions.ClientError",
        "An error occurred (ExpiredTokenException) when calling the Converse operation",
        None,
        "auth",
    ),
    ("botocore.exceptions.ReadTimeoutError", 'Read timeout on endpoint URL: "https://bedrock"', None, "timeout"),
    ("botocore.exceptions.EndpointConnectionError", "Could not connect to the endpoint URL", None, "connection"),
    ("ModelThrottledException", "x", None, "rate_limited"),
    ("ContextWindowOverflowException", "Input is too long", None, "invalid_request"),
    (
        "mistralai.models.sdkerror.SDKError",
        'API error occurred: Status 429\n{"message":"Requests rate limit exceeded"}',
        429,
        "rate_limited",
    ),
    (
        "cohere.errors.too_many_requests_error.TooManyRequestsError",
        "headers: {}, status_code: 429, body: {}",
        429,
        "rate_limited",
    ),
    ("ollama._types.ResponseError", 'model "x" not found (status code: 404)', 404, "invalid_request"),
    ("groq.APIStatusError", "Error code: 413 - {}", 413, "invalid_request"),
    (
        "litellm.RateLimitError",
        "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit",
        None,
        "rate_limited",
    ),
    (
        "litellm.Timeout",
        "litellm.Timeout: APITimeoutError - Request timed out. Timeout passed=0.5, time taken=0.6 seconds",
        None,
        "timeout",
    ),
    (
        "litellm.InternalServerError",
        "litellm.InternalServerError: AnthropicException - Overloaded. Handle with `litellm.InternalServerErr",
        None,
        "server_error",
    ),
    ("anthropic.OverloadedError", "", None, "server_error"),
    ("pydantic_ai.exceptions.ModelHTTPError", "status_code: 429, model_name: gpt-4o, body: {}", 429, "rate_limited"),
    ("pydantic_ai.exceptions.UnexpectedModelBehavior", "Received empty model response", None, "other"),
    ("ssl.SSLError", "[SSL: WRONG_VERSION_NUMBER] wrong version number", None, "connection"),
    ("instructor.exceptions.InstructorRetryException", "Error code: 429 - {}", 429, "rate_limited"),
    ("tenacity.RetryError", "RetryError[<Future at 0x7f state=finished raised RateLimitError>]", None, "rate_limited"),
    ("langchain_core.exceptions.OutputParserException", "Invalid json output: 500 words", None, "other"),
]

NO_STATUS: list[tuple[str | None, str, int | None, str]] = [
    ("ValueError", "Requested 429 tokens but limit is 400", None, "other"),
    (
        "openai.BadRequestError",
        "This model's maximum context length is 8192 tokens. However, you requested 500 tokens",
        None,
        "invalid_request",
    ),
    ("ValueError", "max_tokens: 500 is too large", None, "other"),
    ("ValueError", "Order 404 was not found", None, "other"),
    ("Exception", "failed after 500 ms", None, "other"),
    ("Exception", "Timeout of 500 ms exceeded", None, "timeout"),
    ("KeyError", "port: 443", None, "other"),
    ("Exception", "connect to 10.0.0.1:500 failed: connection refused", None, "connection"),
    ("Exception", "line 404: unexpected token", None, "other"),
    ("RateLimitError", "Limit 500, Used 499, Requested 12. Please try again in 440ms.", None, "rate_limited"),
    ("Exception", "error: 500 tokens requested", None, "other"),
    (
        "aiohttp.ClientPayloadError",
        "Response payload is not completed: <TransferEncodingError: 400, message='Not enough data to satisfy ",
        None,
        "connection",
    ),
    (
        "aiohttp.http_exceptions.TransferEncodingError",
        "400, message: Not enough data to satisfy transfer length header.",
        None,
        "connection",
    ),
    (
        "aiohttp.http_exceptions.ContentLengthError",
        "400, message: Not enough data to satisfy content length header.",
        None,
        "connection",
    ),
    ("Exception", "400, message:\n  Not enough data to satisfy transfer length header.", None, "connection"),
    (
        "httpx.RemoteProtocolError",
        "peer closed connection without sending complete message body (incomplete chunked read)",
        None,
        "connection",
    ),
    (
        "urllib3.exceptions.ProtocolError",
        "('Connection broken: IncompleteRead(400 bytes read)', IncompleteRead(400 bytes read))",
        None,
        "connection",
    ),
    ("urllib3.exceptions.IncompleteRead", "IncompleteRead(500 bytes read, 400 more expected)", None, "connection"),
]


def told(read: Read, kind: str | None, sentence: str) -> Told:
    """The HTTP status and the class of a failed call; `cancelled` where the application left."""
    attributes = CALL | ({"error.type": kind} if kind else {})
    (span,) = read(request(span_json(attributes, status={"code": 2, "message": sentence}))).spans
    return span.http_status, "cancelled" if span.status == "cancelled" else span.error_class


@pytest.mark.parametrize(("kind", "sentence", "status", "error_class"), SAID + NO_STATUS)
def test_a_failure_has_the_class_and_the_status_that_its_client_tells(
    read: Read, kind: str | None, sentence: str, status: int | None, error_class: str
) -> None:
    """Clients of Go, Java, .NET, Rust, JavaScript and Python, with the error's type beside the sentence or in it."""
    assert told(read, kind, sentence) == (status, error_class)
    assert kind is None or told(read, None, f"{kind}: {sentence}") == (status, error_class)


def test_numbers_that_are_no_status_would_be_taken_for_one(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: any number from 400 to 599 in a sentence, which was the rule for some formats, is too many."""
    monkeypatch.setattr(failures, "_QUOTED", failures.re.compile(r"\b([45]\d\d)\b"))
    wrong = [sentence for kind, sentence, status, _ in NO_STATUS if told(read, kind, sentence)[0] != status]
    assert len(wrong) > len(NO_STATUS) / 2


def test_a_sentence_of_langfuse_is_read_by_the_same_rules() -> None:
    """A number that counts something is no status there, and an application that left is no failure."""
    assert failures.told("RateLimitError: Error code: 429 - {}")["http_status"] == 429
    assert failures.told("ValueError: order 404 of 500 has no lines")["http_status"] is None
    assert failures.told("asyncio.exceptions.CancelledError: ") == {"status": "cancelled"}
