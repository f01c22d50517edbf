import ArgumentParser
import Foundation
import Logging

/// `presenced serve`: runs until SIGTERM or SIGINT.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the server.",
        discussion: """
            Without --config it runs by itself on loopback, for trying it out: everything it writes goes to \
            ./presenced-data, and the first start makes three sample users.
            """)

    @Option(help: "The configuration file, in YAML.")
    var config: String?

    func run() async throws {
        MemoryAllocation.keepFreedMemory()
        OpenFiles.raiseLimit()
        let configuration = try ConfigurationFile.load(config)
        LogOutput.bootstrap(configuration.log)
        let logger = Logger(label: "presenced")
        do {
            let server = try await PresenceServer.prepare(configuration, logger: logger)
            if config == nil { try await TrialUsers.introduce(to: server, configuration) }
            try await server.run()
        } catch let failure as StartFailure {
            logger.critical("\(failure.message)", metadata: failure.metadata)
            throw ExitCode.failure
        }
    }
}

/// Why the server could not start, in words for the operator.
struct StartFailure: Error {
    var message: String
    var metadata: Logger.Metadata

    init(_ message: String, _ metadata: Logger.Metadata = [:]) {
        self.message = message
        self.metadata = metadata
    }
}
