import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.openaiofficial.OpenAiOfficialChatModel;
import io.opentelemetry.api.GlobalOpenTelemetry;
import io.quarkiverse.langchain4j.cost.CostEstimatorService;
import io.quarkiverse.langchain4j.runtime.listeners.CompletionTextSpanContributor;
import io.quarkiverse.langchain4j.runtime.listeners.SpanChatModelListener;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;

/** The calls of an application that uses LangChain4j with the listener by which Quarkus traces its models. */
final class LangChain4j {
  private static final String UPSTREAM = System.getenv("UPSTREAM") + "/v1";
  private static final List<ChatModelListener> LISTENERS =
      List.of(
          new SpanChatModelListener(
              GlobalOpenTelemetry.getTracer("io.quarkus.opentelemetry"),
              new CostEstimatorService(List.of()),
              List.of(new CompletionTextSpanContributor(true))));

  private interface Asked extends UnaryOperator<ChatRequest.Builder> {}

  private static Calls.Call own(String model, int timeoutMs, Asked more) {
    return headers -> chat(
        OpenAiChatModel.builder().baseUrl(UPSTREAM).apiKey("made-up").modelName(model).maxRetries(0)
            .timeout(Duration.ofMillis(timeoutMs)).customHeaders(headers).listeners(LISTENERS).build(), more);
  }

  private static Calls.Call official(String model) {
    return headers -> chat(
        OpenAiOfficialChatModel.builder().baseUrl(UPSTREAM).apiKey("made-up").modelName(model).maxRetries(0)
            .customHeaders(headers).listeners(LISTENERS).build(), plain -> plain);
  }

  private static void chat(ChatModel model, Asked more) {
    model.chat(more.apply(ChatRequest.builder().messages(UserMessage.from(Calls.ASK))).build());
  }

  private static Calls.Call stream(String model, Asked more) {
    return headers -> {
      StreamingChatModel asked =
          OpenAiStreamingChatModel.builder().baseUrl(UPSTREAM).apiKey("made-up").modelName(model)
              .customHeaders(headers).listeners(LISTENERS).build();
      var answer = new CompletableFuture<ChatResponse>();
      asked.chat(more.apply(ChatRequest.builder().messages(UserMessage.from(Calls.ASK))).build(), handler(answer));
      answer.get();
    };
  }

  private static StreamingChatResponseHandler handler(CompletableFuture<ChatResponse> answer) {
    return new StreamingChatResponseHandler() {
      @Override
      public void onPartialResponse(String word) {}

      @Override
      public void onCompleteResponse(ChatResponse whole) {
        answer.complete(whole);
      }

      @Override
      public void onError(Throwable error) {
        answer.completeExceptionally(error);
      }
    };
  }

  private static ChatRequest.Builder tools(ChatRequest.Builder asked) {
    var place = JsonObjectSchema.builder().addStringProperty("place").build();
    return asked.toolSpecifications(
        ToolSpecification.builder().name("weather").parameters(place).build(),
        ToolSpecification.builder().name("clock").parameters(place).build());
  }

  public static void main(String[] args) throws Exception {
    Asked plain = asked -> asked;
    Calls calls = new Calls();
    calls.add("plain", own("gpt-4o", 30_000, plain));
    calls.add("length", own("gpt-4o-mini", 30_000, asked -> asked.temperature(0.2).maxOutputTokens(16)));
    calls.add("tools", own("gpt-4o", 30_000, LangChain4j::tools));
    calls.add("reasoning", own("o3-mini", 30_000, plain));
    calls.add("plain", stream("gpt-4o", plain));
    calls.add("tool", stream("gpt-4o", LangChain4j::tools));
    calls.add("plain 429", own("gpt-4o", 30_000, plain));
    calls.add("plain 500", own("gpt-4o-mini", 30_000, plain));
    calls.add("plain 400", own("o3-mini", 30_000, plain));
    calls.add("plain slow", own("gpt-4o", 750, plain));
    calls.add("plain 429", stream("gpt-4o", plain));
    calls.add("plain cut", stream("gpt-4o", plain));
    calls.add("plain", official("gpt-4o"));
    calls.add("tools", official("gpt-4o"));
    calls.add("reasoning", official("o3-mini"));
    calls.add("plain 429", official("gpt-4o"));
    calls.run();
    System.exit(0); // the clients' own threads would keep the machine up
  }
}
