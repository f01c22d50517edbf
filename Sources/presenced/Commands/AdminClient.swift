import AdminGateway
import ArgumentParser
import AsyncHTTPClient
import Foundation
import MatrixWire
import NIOCore
import PresenceModel

/// What a command needs to ask a running server on the operator's interface.
struct AdminClient {
    /// Where to look for the server.
    struct Options: ParsableArguments {
        @Option(help: "The configuration file that presenced runs with, in YAML.")
        var config: String?

        @Flag(help: "Print JSON.")
        var json = false
    }

    let configuration: ServerConfiguration
    private let base: String
    private let token: String
    private let configurationName: String

    /// Prints what is in the way and ends with status 1.
    init(_ options: Options) throws {
        configuration = try ConfigurationFile.load(options.config)
        configurationName = options.config ?? "a configuration file, named with --config"
        guard configuration.admin.enabled else {
            throw AdminClient.failure(
                "The operator's interface is off. Set 'admin: { enabled: true }' in \(configurationName), and restart "
                    + "presenced.")
        }
        guard configuration.admin.listen.port != 0 else {
            throw AdminClient.failure("admin.listen leaves the port to chance: name one, and restart presenced.")
        }
        let path = configuration.adminTokenPath
        guard FileManager.default.fileExists(atPath: path) else {
            throw AdminClient.failure(
                "There is no operator's token at \(path). presenced makes it when it starts: start it with this "
                    + "configuration, in the same folder.")
        }
        guard let contents = FileManager.default.contents(atPath: path) else {
            throw AdminClient.failure("\(path) cannot be read: run this as the user that presenced runs as.")
        }
        let text = String(decoding: contents.prefix(AdminToken.limitBytes + 2), as: UTF8.self)
        token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard AdminToken(token) != nil else {
            throw AdminClient.failure("\(path) holds no token: remove it, and restart presenced to get a new one.")
        }
        base = "http://\(AdminClient.reachable(configuration.admin.listen))/_presenced/admin/v1"
    }

    /// Asks; prints why not and ends with status 1.
    func get(_ path: String, _ query: [(name: String, value: String)] = []) async throws -> JSONValue {
        let pairs = query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
        return try await send("GET", "\(path)\(pairs.isEmpty ? "" : "?")\(pairs)")
    }

    /// Changes something; prints why not and ends with status 1.
    func change(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws {
        _ = try await send(method, path, body)
    }

    private func send(_ method: String, _ target: String, _ content: JSONValue? = nil) async throws -> JSONValue {
        var request = HTTPClientRequest(url: "\(base)/\(target)")
        request.method = .init(rawValue: method)
        if let content { request.body = .bytes(CanonicalJSON.encode(content)) }
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        let (status, body): (UInt, JSONValue)
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let bytes = try await response.body.collect(upTo: 32 << 20)
            (status, body) = (response.status.code, try JSONParser.lenient.parse(Array(bytes.readableBytesView)).value)
        } catch {
            throw AdminClient.failure(
                "presenced does not answer at \(configuration.admin.listen) (admin.listen). Is it running, with "
                    + "\(configurationName)?")
        }
        switch status {
        case 200: return body
        case 401:
            throw AdminClient.failure(
                "presenced does not take the token in \(configuration.adminTokenPath). If the file was replaced since "
                    + "presenced started, restart it; or another server listens at \(configuration.admin.listen).")
        default:
            throw AdminClient.failure("presenced refused (\(status)): \(body["error"]?.string ?? "no reason given")")
        }
    }

    static func failure(_ line: String) -> ExitCode {
        ConfigurationFile.complain(line)
        return ExitCode.failure
    }

    /// Who listens everywhere listens here too.
    static func reachable(_ address: NetworkAddress) -> String {
        switch address.host {
        case "0.0.0.0": "127.0.0.1:\(address.port)"
        case "::": "[::1]:\(address.port)"
        default: "\(address)"
        }
    }
}
