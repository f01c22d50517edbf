import ArgumentParser
import Foundation
import Logging

/// `presenced demo`: two servers on loopback with TLS, four users who see each other, and recorded traffic of a real
/// Synapse. Everything goes over real sockets; nothing is left behind.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show two servers federating presence on this machine.",
        discussion: "Ends by itself after about half a minute. Ctrl-C ends it earlier.")

    @Option(help: "The folder of recorded traffic to replay.")
    var fixtures = "Fixtures/Matrix"

    @Option(help: "Seconds to look at each step.")
    var pause = 1.5

    func run() async throws {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .error
            return handler
        }
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("presenced-demo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let interrupt = DemoCommand.onInterrupt { try? FileManager.default.removeItem(at: folder) }
        defer { interrupt.cancel() }
        do {
            let recording = try DemoRecording(folder: fixtures)
            let stage = try await DemoStage.build(folder: folder.path, recording: recording)
            try await stage.run { stage in
                let pause = Duration.milliseconds(Int64(pause * 1000))
                try await DemoPlay(stage: stage, pause: pause, recording: recording).perform()
            }
        } catch let failure as StartFailure {
            ConfigurationFile.complain("\(failure.message) \(failure.metadata)")
            throw ExitCode.failure
        }
    }

    /// Ctrl-C leaves nothing behind either.
    private static func onInterrupt(_ cleanUp: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT)
        source.setEventHandler {
            cleanUp()
            Foundation.exit(130)
        }
        source.resume()
        return source
    }
}
