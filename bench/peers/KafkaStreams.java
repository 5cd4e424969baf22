// The job on Kafka Streams: Processor API, RocksDB store with caching and changelog, one thread.
//
//   java KafkaStreams RUN at_least_once|exactly_once_v2 [COMMIT_MILLISECONDS]
//
// Settings not named here are Kafka Streams' own defaults. At least once it commits, and writes its cached states to the store
// and to the changelog, every 30 seconds by default: a run that is shorter than that hardly sees a changelog.

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class KafkaStreams {
  private static final String STORE = "state";
  private static final int KEPT_DRUGS = 12;
  private static final int KEPT_VALUES = 8;

  public static final class Event {
    public String id;
    public String patient;
    public String type;
    public String drug;
    public String code;
    public double value;
  }

  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"drugs", "labs", "n"})
  public static final class State {
    public List<String> drugs = new ArrayList<>();
    public Map<String, List<Double>> labs = new LinkedHashMap<>();
    public int n;
  }

  public record LabAlert(String rule, String patient, String by, String code, double value) {}

  public record PairAlert(String rule, String patient, String by, List<String> pair) {}

  record Knowledge(Map<String, List<String>> partners, Map<String, double[]> limits) {
    static Knowledge of(JsonNode run) {
      Map<String, List<String>> partners = new HashMap<>();
      run.get("partners").properties().forEach(entry -> {
        List<String> others = new ArrayList<>();
        entry.getValue().forEach(other -> others.add(other.asText()));
        partners.put(entry.getKey(), others);
      });
      Map<String, double[]> limits = new HashMap<>();
      run.get("limits").properties().forEach(entry -> {
        JsonNode pair = entry.getValue();
        limits.put(entry.getKey(), new double[] {pair.get(0).asDouble(), pair.get(1).asDouble()});
      });
      return new Knowledge(partners, limits);
    }
  }

  static final class Check implements Processor<byte[], byte[], byte[], byte[]> {
    private final ObjectMapper mapper =
        new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
    private final ObjectReader events = mapper.readerFor(Event.class);
    private final ObjectReader states = mapper.readerFor(State.class);
    private final ObjectWriter writer = mapper.writer();
    private final Knowledge knowledge;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<String, byte[]> store;

    Check(Knowledge knowledge) {
      this.knowledge = knowledge;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.store = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      try {
        Event event = events.readValue(record.value());
        byte[] stored = store.get(event.patient);
        State state = stored == null ? new State() : states.readValue(stored);
        state.n++;
        if (event.type.equals("lab")) {
          lab(state, event, record);
        } else {
          drug(state, event, record);
        }
        store.put(event.patient, writer.writeValueAsBytes(state));
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }

    private void lab(State state, Event event, Record<byte[], byte[]> record) throws IOException {
      List<Double> values = state.labs.computeIfAbsent(event.code, code -> new ArrayList<>());
      values.add(event.value);
      if (values.size() > KEPT_VALUES) {
        values.remove(0);
      }
      double[] limits = knowledge.limits.get(event.code);
      if (event.value < limits[0] || event.value > limits[1]) {
        send(record, new LabAlert("lab", event.patient, event.id, event.code, event.value));
      }
    }

    private void drug(State state, Event event, Record<byte[], byte[]> record) throws IOException {
      if (state.drugs.contains(event.drug)) {
        return;
      }
      for (String other : knowledge.partners.getOrDefault(event.drug, List.of())) {
        if (state.drugs.contains(other)) {
          send(record, new PairAlert("ddi", event.patient, event.id, List.of(event.drug, other)));
        }
      }
      state.drugs.add(event.drug);
      if (state.drugs.size() > KEPT_DRUGS) {
        state.drugs.remove(0);
      }
    }

    private void send(Record<byte[], byte[]> record, Object alert) throws IOException {
      context.forward(new Record<>(record.key(), writer.writeValueAsBytes(alert), record.timestamp()));
    }
  }

  public static void main(String[] arguments) throws IOException {
    JsonNode run = new ObjectMapper().readTree(new File(arguments[0]));
    Knowledge knowledge = Knowledge.of(run.get("knowledge"));

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, run.get("group").asText());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, run.get("brokers").asText());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, run.get("folder").asText() + "/state");
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[1]);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    if (arguments.length > 2) {
      settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(arguments[2]));
    }
    settings.put("auto.offset.reset", "earliest");

    var bytesIn = new ByteArrayDeserializer();
    var bytesOut = new ByteArraySerializer();
    var store = Stores.keyValueStoreBuilder(
        Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray()).withCachingEnabled();
    Topology topology = new Topology()
        .addSource("events", bytesIn, bytesIn, run.get("input").asText())
        .addProcessor("check", () -> new Check(knowledge), "events")
        .addStateStore(store, "check")
        .addSink("alerts", run.get("output").asText(), bytesOut, bytesOut, "check");
    new org.apache.kafka.streams.KafkaStreams(topology, settings).start();
  }
}
