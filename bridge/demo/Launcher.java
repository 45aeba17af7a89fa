import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Starts one node of Elasticsearch 9, whose own main class is in its distribution alone:
 * <code>java -Des.path.home=HOME Launcher BASE PORT CLUSTER</code>. Settings are read from BASE/config/elasticsearch.yml.
 */
final class Launcher {
    private static final String NAME = "node_1";

    public static void main(String[] arguments) {
        try {
            run(Path.of(System.getProperty("es.path.home")), Path.of(arguments[0]), arguments[1], arguments[2]);
        } catch (Throwable error) {
            // The causes in a line each: a stack trace would push the one that matters out of the lines that are kept.
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                System.err.println("did not start: " + cause);
            }
            System.exit(2);
        }
    }

    private static void run(Path home, Path base, String port, String cluster) throws Exception {
        LogConfigurator.configureESLogging();
        Settings settings = Settings.builder()
            .put("path.home", home)
            .put("path.data", base.resolve("data"))
            .put("path.logs", base.resolve("logs"))
            .put("http.port", port)
            .put("cluster.name", cluster)
            .build();
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), base.resolve("config"), () -> NAME);
        LogConfigurator.setNodeName(NAME);
        LogConfigurator.configureWithoutConfig(settings);
        Node node = new Node(environment, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(home.resolve("modules"), false), Set.of(), Map.of(), false));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(node)));
        node.start();
        Thread.currentThread().join(); // the node's own threads do not keep the process alive
    }

    private static void stop(Node node) {
        try {
            node.prepareForClose();
            node.close();
        } catch (Exception error) {
            System.err.println("did not stop in order: " + error);
        }
    }
}
