import ArgumentParser
import Foundation
import HomeserverLink

/// `presenced generate-registration`: makes the file by which the homeserver and presenced know each other.
struct GenerateRegistrationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-registration",
        abstract: "Make the registration of presenced as an application service of the homeserver.",
        discussion: "With new tokens, and readable by its owner alone. A file that exists is never overwritten.")

    @Option(help: "The configuration file, in YAML: for the server's name and the address.")
    var config: String

    @Option(
        name: .shortAndLong,
        help: "The file to write; by default what the configuration names, or registration.yaml in data_directory.")
    var output: String?

    @Option(help: "Where the homeserver reaches presenced; by default http:// and the address it listens at.")
    var url: String?

    func run() throws {
        let configuration = try ConfigurationFile.read(config).configuration
        let service = configuration.homeserver.applicationService
        let url = url ?? "http://\(service.listen)"
        guard (try? HomeserverOrigin(parsing: url)) != nil else {
            ConfigurationFile.complain("--url must be http:// or https:// and a host, with or without a port")
            throw ExitCode.failure
        }
        let named = output ?? service.registration
        let path = named ?? PathText.resolve("registration.yaml", in: configuration.dataDirectory)
        do {
            if named == nil {
                try FileManager.default.createDirectory(
                    atPath: configuration.dataDirectory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
            try RegistrationFile.create(
                path: path, server: configuration.serverName, url: url,
                ghostPrefixes: [configuration.bridge.ghostPrefix, configuration.bridge.embeddedGhostPrefix])
        } catch {
            ConfigurationFile.complain((error as? RegistrationError)?.description ?? error.localizedDescription)
            throw ExitCode.failure
        }
        print(GenerateRegistrationCommand.whatNext(path: URL(fileURLWithPath: path).path, url: url))
    }

    static func whatNext(path: String, url: String) -> String {
        """
        Wrote \(path). It holds secrets; only its owner can read it.

        What to do next:
        1. Let the homeserver read it: give it a copy that its user may read, and name that in its configuration.
           Synapse, homeserver.yaml:
             app_service_config_files:
               - \(path)
        2. Name it in presenced's configuration:
             homeserver:
               application_service:
                 registration: \(path)
        3. Restart the homeserver, then presenced. The homeserver must reach presenced at \(url).
        """
    }
}
