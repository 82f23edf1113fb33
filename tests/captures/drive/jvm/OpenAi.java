import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.OpenAIInvalidDataException;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.ResponseFormatJsonObject;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.responses.ResponseCreateParams;
import java.time.Duration;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The calls of an application that uses OpenAI's client for Java. */
final class OpenAi {
  private static final OpenAIClient CLIENT = client(0, 30_000);
  private static final OpenAIClient HASTY = client(0, 750);
  private static final OpenAIClient PATIENT = client(2, 30_000);

  private static OpenAIClient client(int retries, long timeoutMs) {
    return OpenAIOkHttpClient.builder()
        .baseUrl(System.getenv("UPSTREAM") + "/v1")
        .apiKey("sk-made-up")
        .maxRetries(retries)
        .timeout(Duration.ofMillis(timeoutMs))
        .build();
  }

  private interface Asked extends UnaryOperator<ChatCompletionCreateParams.Builder> {}

  private static ChatCompletionCreateParams chat(String model, Map<String, String> headers, Asked more) {
    ChatCompletionCreateParams.Builder asked =
        ChatCompletionCreateParams.builder().model(model).addUserMessage(Calls.ASK);
    headers.forEach(asked::putAdditionalHeader);
    return more.apply(asked).build();
  }

  private static Calls.Call whole(OpenAIClient by, String model, Asked more) {
    return headers -> by.chat().completions().create(chat(model, headers, more));
  }

  private static Calls.Call stream(String model, Asked more) {
    return headers -> drain(CLIENT.chat().completions().createStreaming(chat(model, headers, more)));
  }

  private static Calls.Call leave(String model) {
    return headers -> {
      try (var answer = CLIENT.chat().completions().createStreaming(chat(model, headers, OpenAi::counted))) {
        answer.stream().limit(2).forEach(chunk -> {});
      } catch (OpenAIInvalidDataException unended) {
        // which the instrumentation throws out of close() where no chunk had a reason
      }
    };
  }

  private static void drain(StreamResponse<?> answer) {
    try (answer) {
      answer.stream().forEach(chunk -> {});
    }
  }

  private static Calls.Call later(String model) {
    return headers -> CLIENT.async().chat().completions().create(chat(model, headers, plain -> plain)).get();
  }

  private static Calls.Call laterStream(String model) {
    return headers ->
        CLIENT.async().chat().completions().createStreaming(chat(model, headers, OpenAi::counted))
            .subscribe(chunk -> {}).onCompleteFuture().get();
  }

  private static Calls.Call embed() {
    return headers -> {
      var asked = EmbeddingCreateParams.builder().model("text-embedding-3-small").input("one text");
      headers.forEach(asked::putAdditionalHeader);
      CLIENT.embeddings().create(asked.build());
    };
  }

  private static ResponseCreateParams respond(String model, Map<String, String> headers) {
    var asked = ResponseCreateParams.builder().model(model).input(Calls.ASK);
    headers.forEach(asked::putAdditionalHeader);
    return asked.build();
  }

  private static ChatCompletionCreateParams.Builder counted(ChatCompletionCreateParams.Builder asked) {
    return asked.streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build());
  }

  private static ChatCompletionCreateParams.Builder tools(ChatCompletionCreateParams.Builder asked) {
    for (String name : new String[] {"weather", "clock"}) {
      var place = Map.of("place", Map.of("type", "string"));
      var parameters =
          FunctionParameters.builder()
              .putAdditionalProperty("type", JsonValue.from("object"))
              .putAdditionalProperty("properties", JsonValue.from(place))
              .build();
      asked.addFunctionTool(FunctionDefinition.builder().name(name).parameters(parameters).build());
    }
    return asked;
  }

  public static void main(String[] args) throws Exception {
    Asked plain = asked -> asked;
    Calls calls = new Calls();
    calls.add("plain", whole(CLIENT, "gpt-4o", plain));
    calls.add("plain", whole(CLIENT, "gpt-4o-mini", asked -> asked.temperature(0.2).maxTokens(256)));
    calls.add("length", whole(CLIENT, "gpt-4o-mini", asked -> asked.maxTokens(16)));
    calls.add("tool", whole(CLIENT, "gpt-4o", OpenAi::tools));
    calls.add("tools", whole(CLIENT, "gpt-4o", asked -> tools(asked).temperature(0)));
    calls.add("json", whole(CLIENT, "gpt-4o-mini",
        asked -> asked.responseFormat(ResponseFormatJsonObject.builder().build())));
    calls.add("refusal", whole(CLIENT, "gpt-4o", plain));
    calls.add("cached", whole(CLIENT, "gpt-4o", plain));
    calls.add("reasoning", whole(CLIENT, "o3-mini", asked -> asked.maxCompletionTokens(2000)));
    calls.add("plain", stream("gpt-4o", OpenAi::counted));
    calls.add("plain", stream("gpt-4o-mini", plain));
    calls.add("tools", stream("gpt-4o", asked -> counted(tools(asked))));
    calls.add("cached", stream("gpt-4o", OpenAi::counted));
    calls.add("plain", embed());
    calls.add("plain", headers -> CLIENT.responses().create(respond("gpt-4o", headers)));
    calls.add("plain", headers -> drain(CLIENT.responses().createStreaming(respond("gpt-4o", headers))));
    calls.add("plain 429", whole(CLIENT, "gpt-4o", plain));
    calls.add("plain 500", whole(CLIENT, "gpt-4o-mini", plain));
    calls.add("plain 400", whole(CLIENT, "o3-mini", plain));
    calls.add("plain slow", whole(HASTY, "gpt-4o", plain));
    calls.add("plain 429-once", whole(PATIENT, "gpt-4o-mini", plain));
    calls.add("plain 429", stream("gpt-4o", OpenAi::counted));
    calls.add("plain cut", stream("gpt-4o", OpenAi::counted));
    calls.add("plain broken", stream("gpt-4o", OpenAi::counted));
    calls.add("plain left", leave("gpt-4o"));
    calls.add("plain", later("gpt-4o"));
    calls.add("plain", laterStream("gpt-4o"));
    calls.add("plain 500", later("gpt-4o"));
    calls.add("plain cut", laterStream("gpt-4o"));
    calls.run();
    System.exit(0); // the client's own threads would keep the machine up
  }
}
