import ArgumentParser
import Foundation
import MatrixFederation
import PresenceModel

/// `presenced rotate-key`: a new signing key in the place of the one that signs.
struct RotateKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key", abstract: "Replace the signing key by a new one.",
        discussion: """
            The first line of the key file becomes a new key; other lines stay. The public half of the old key is kept \
            beside it, in <key file>.old.json, and stays published as an old key. The old key signs nothing any more \
            and cannot be brought back. A server that runs takes the new key up within a second or two.
            """)

    @Option(help: "The configuration file, in YAML.")
    var config: String?

    func run() throws {
        let configuration = try ConfigurationFile.load(config)
        guard configuration.homeserver.url == nil, configuration.federation.signingKeyID == nil else {
            ConfigurationFile.complain(
                "The homeserver publishes the keys of this server: a key that it does not know would be refused by "
                    + "everyone. Put a new key into the homeserver's key file first; see federation.signing_key_id.")
            throw ExitCode.failure
        }
        let path = configuration.signingKeyPath
        do {
            let result = try KeyRotation.rotate(
                path: path, at: Instant(millisecondsSinceEpoch: PresenceServer.wallMilliseconds()))
            print("\(path): \(result.new) signs from now on; \(result.old) is published as an old key")
        } catch {
            ConfigurationFile.complain("\(error)")
            throw ExitCode.failure
        }
    }
}
