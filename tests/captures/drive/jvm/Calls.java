import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The calls of one application, in the order in which they are made; what they throw is what was asked for. */
final class Calls {
  static final String ASK = "What is the largest city of Peru?";

  /** One call, given the header that tells the upstream what to answer. */
  interface Call {
    void make(Map<String, String> headers) throws Exception;
  }

  private record Wanted(String kind, Call call) {
    boolean fails() {
      String fault = kind.contains(" ") ? kind.substring(kind.indexOf(' ') + 1) : "";
      return !fault.isEmpty() && !fault.endsWith("-once") && !fault.equals("left");
    }
  }

  private final List<Wanted> calls = new ArrayList<>();

  void add(String kind, Call call) {
    calls.add(new Wanted(kind, call));
  }

  void run() throws Exception {
    for (int at = 0; at < calls.size(); at++) {
      Wanted wanted = calls.get(at);
      Exception failed = null;
      try {
        wanted.call.make(Map.of("x-call", (at + 1) + " " + wanted.kind));
      } catch (Exception error) {
        failed = error;
      }
      if ((failed != null) != wanted.fails()) {
        throw new IllegalStateException("call " + (at + 1) + ", " + wanted.kind, failed);
      }
    }
  }
}
