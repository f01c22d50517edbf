import ArgumentParser
import Foundation
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine

/// What every `presenced social` command needs: where the service is, and who asks.
struct SocialOptions: ParsableArguments {
    @Option(help: "Where the service is, ws://… or wss://…; without it, the server of the configuration file.")
    var url: String?

    @Option(help: "The configuration file that presenced runs with, in YAML.")
    var config: String?

    @Option(help: "A file with PEM certificates to trust besides the system's.")
    var caFile: String?

    @Option(help: "A file with the user's access token; without it, the variable PRESENCED_TOKEN.")
    var tokenFile: String?

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    /// Asks, and closes the connection; prints why not and ends with status 1.
    func run(_ ask: (SocialClient) async throws -> Void) async throws {
        var configuration = SocialClient.Configuration(url: try address())
        configuration.trustedCertificates = caFile
        let client = SocialClient(configuration, credential: .token(try token())) {
            Instant(millisecondsSinceEpoch: PresenceServer.wallMilliseconds())
        }
        do {
            try await ask(client)
        } catch let error as SocialClientError {
            await client.close()
            throw AdminClient.failure(sentence(of: error, at: configuration.url))
        }
        await client.close()
    }

    private func address() throws -> String {
        if let url { return url }
        let configuration = try ConfigurationFile.load(config)
        guard configuration.social.enabled else {
            throw AdminClient.failure(
                "The social service is off here. Name another with --url, or set 'social: { enabled: true }' in "
                    + "\(config ?? "a configuration file, named with --config"), and restart presenced.")
        }
        guard configuration.client.listen.port != 0 else {
            throw AdminClient.failure("client.listen leaves the port to chance: name the service with --url.")
        }
        return "ws://\(AdminClient.reachable(configuration.client.listen))\(configuration.social.path)"
    }

    private func token() throws -> String {
        let text: String
        if let tokenFile {
            guard let contents = FileManager.default.contents(atPath: tokenFile) else {
                throw AdminClient.failure("\(tokenFile) cannot be read.")
            }
            text = String(decoding: contents.prefix(8192), as: UTF8.self)
        } else if let variable = ProcessInfo.processInfo.environment["PRESENCED_TOKEN"] {
            text = variable
        } else {
            throw AdminClient.failure(
                "Whose friends? Name a file with an access token, --token-file, or set PRESENCED_TOKEN. Of a server that "
                    + "runs by itself, 'presenced token create USER' makes one.")
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty else { throw AdminClient.failure("The access token is empty.") }
        return token
    }

    private func sentence(of error: SocialClientError, at url: String) -> String {
        switch error.code {
        case .badAddress: "\(url) cannot be connected to: \(error.message)"
        case .unreachable: "Nobody answers at \(url): \(error.message)"
        case .connectionLost: "The connection to \(url) was lost: \(error.message)"
        case .timedOut: "\(url) did not answer in time: \(error.message)"
        case .unauthorized: "The service does not take the access token: \(error.message)"
        case .forbidden: "Not allowed: \(error.message)"
        case .tooManyRequests: "Too often; try again later: \(error.message)"
        case .refused: "Not done: \(error.message)"
        case .failed: "The service failed: \(error.message)"
        case .notOffered: "The service does not offer that: \(error.message)"
        case .malformed: "The service said what makes no sense: \(error.message)"
        }
    }

    // MARK: Printing

    func print(_ line: String, _ members: KeyValuePairs<String, JSONValue>) {
        if json {
            var object = JSONObject()
            for (key, value) in members { object[key] = value }
            Swift.print(String(decoding: CanonicalJSON.encode(.object(object)), as: UTF8.self))
        } else {
            Swift.print(line)
        }
        // What is watched through a pipe is seen as it happens.
        fflush(nil)
    }

    func print(_ users: [SocialAddress]) {
        for user in users { print(user.text, ["address": .string(user.text)]) }
    }
}

extension SocialAddress: ExpressibleByArgument {
    /// An address, or a Matrix user.
    public init?(argument: String) { try? self.init(parsing: argument) }
}
