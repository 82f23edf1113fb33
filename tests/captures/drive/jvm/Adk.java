import com.google.adk.agents.LlmAgent;
import com.google.adk.agents.RunConfig;
import com.google.adk.agents.RunConfig.StreamingMode;
import com.google.adk.events.Event;
import com.google.adk.models.ApigeeLlm;
import com.google.adk.models.BaseLlm;
import com.google.adk.models.Gemini;
import com.google.adk.runner.InMemoryRunner;
import com.google.adk.tools.Annotations.Schema;
import com.google.adk.tools.FunctionTool;
import com.google.adk.tools.ToolContext;
import com.google.genai.Client;
import com.google.genai.types.Content;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.HttpOptions;
import com.google.genai.types.HttpRetryOptions;
import com.google.genai.types.Part;
import io.reactivex.rxjava3.core.Flowable;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The calls of agents of Google's ADK for Java, to Gemini and, through its client for Apigee, to OpenAI's API. */
public final class Adk {
  private static final String UPSTREAM = System.getenv("UPSTREAM");

  private interface Model {
    BaseLlm with(Map<String, String> headers);
  }

  private static Model gemini() {
    return headers -> {
      var once = HttpRetryOptions.builder().attempts(1).build();
      var options = HttpOptions.builder().baseUrl(UPSTREAM).headers(headers).retryOptions(once).build();
      return new Gemini("gemini-2.5-flash", Client.builder().apiKey("made-up").httpOptions(options).build());
    };
  }

  private static Model openai(String model) {
    return headers ->
        ApigeeLlm.builder().modelName("apigee/openai/" + model).proxyUrl(UPSTREAM).customHeaders(headers).build();
  }

  /** The tool, whose result ends the run, so that a run is one call. */
  public static Map<String, Object> weather(
      @Schema(name = "place") String place, @Schema(name = "toolContext") ToolContext toolContext) {
    toolContext.actions().setSkipSummarization(true);
    return Map.of("sky", "grey");
  }

  private static Flowable<Event> ask(
      Model model, StreamingMode mode, Map<String, String> headers, UnaryOperator<LlmAgent.Builder> more) {
    var agent = more.apply(LlmAgent.builder().name("guide").model(model.with(headers))).build();
    var runner = new InMemoryRunner(agent, "capture");
    var config = RunConfig.builder().streamingMode(mode).autoCreateSession(true).build();
    return runner.runAsync("someone", "s", Content.fromParts(Part.fromText(Calls.ASK)), config);
  }

  private static Calls.Call whole(Model model, UnaryOperator<LlmAgent.Builder> more) {
    return headers -> ask(model, StreamingMode.NONE, headers, more).blockingForEach(event -> {});
  }

  private static Calls.Call stream(Model model, UnaryOperator<LlmAgent.Builder> more) {
    return headers -> ask(model, StreamingMode.SSE, headers, more).blockingForEach(event -> {});
  }

  private static Calls.Call leave(Model model) {
    return headers -> ask(model, StreamingMode.SSE, headers, agent -> agent).take(1).blockingSubscribe();
  }

  private static LlmAgent.Builder limited(LlmAgent.Builder agent) {
    return agent.generateContentConfig(
        GenerateContentConfig.builder().temperature(0.5f).maxOutputTokens(16).topP(0.9f).build());
  }

  private static LlmAgent.Builder tools(LlmAgent.Builder agent) {
    return agent.tools(FunctionTool.create(Adk.class, "weather"));
  }

  public static void main(String[] args) throws Exception {
    UnaryOperator<LlmAgent.Builder> plain = agent -> agent;
    Calls calls = new Calls();
    calls.add("plain", whole(gemini(), plain));
    calls.add("length", whole(gemini(), Adk::limited));
    calls.add("tool", whole(gemini(), Adk::tools));
    calls.add("cached", whole(gemini(), plain));
    calls.add("reasoning", whole(gemini(), plain));
    calls.add("plain", stream(gemini(), plain));
    calls.add("reasoning", stream(gemini(), plain));
    calls.add("tool", stream(gemini(), Adk::tools));
    calls.add("plain 429", whole(gemini(), plain));
    calls.add("plain 500", whole(gemini(), plain));
    calls.add("plain 400", stream(gemini(), plain));
    calls.add("plain cut", stream(gemini(), plain));
    calls.add("plain left", leave(gemini()));
    calls.add("plain", whole(openai("gpt-4o"), plain));
    calls.add("reasoning", whole(openai("o3-mini"), plain));
    calls.add("plain", stream(openai("gpt-4o"), plain));
    calls.add("plain 429", whole(openai("gpt-4o"), plain));
    calls.run();
    System.exit(0); // the clients' own threads would keep the machine up
  }
}
