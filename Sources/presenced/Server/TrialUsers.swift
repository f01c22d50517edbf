import ClientGateway
import Foundation
import PresenceModel

/// Three users of a server that is tried out: made at its first start, they see each other.
enum TrialUsers {
    private static let names = ["alice", "bob", "carol"]

    private struct Saved: Codable {
        var userID: String
        var accessToken: String
    }

    /// Makes the users if there are none, and says what to do with them as soon as the server listens.
    static func introduce(to server: PresenceServer, _ configuration: ServerConfiguration) async throws {
        let path = "\(configuration.dataDirectory)/trial-users.json"
        let saved: [Saved]
        if let contents = FileManager.default.contents(atPath: path) {
            saved = (try? JSONDecoder().decode([Saved].self, from: contents)) ?? []
        } else {
            saved = try await make(on: server, configuration, path: path)
        }
        Task {
            guard let port = await server.listeners.ports.all()["client"] else { return }
            let text = welcome(saved, at: "http://\(configuration.client.listen.host):\(port)", configuration)
            FileHandle.standardOutput.write(Data("\(text)\n".utf8))
        }
    }

    private static func make(
        on server: PresenceServer, _ configuration: ServerConfiguration, path: String
    ) async throws -> [Saved] {
        let file = TokenFile(path: configuration.tokenFilePath)
        var saved: [Saved] = []
        var users: [UserID] = []
        do {
            let device = try DeviceID(parsing: "TRIAL")
            let now = Instant(millisecondsSinceEpoch: PresenceServer.wallMilliseconds())
            for name in names {
                let user = try UserID(parsing: "@\(name):\(configuration.serverName)")
                let issued = try file.create(user: user, device: device, at: now)
                users.append(user)
                saved.append(Saved(userID: user.text, accessToken: issued.token.text))
            }
            for user in users { try await server.runtime.perform(.userKnown(user)) }
            for observer in users {
                for observed in users where observed != observer {
                    try await server.runtime.perform(
                        .entryAdded(observer: observer, observed: observed, note: nil, acl: nil))
                }
            }
            let created = FileManager.default.createFile(
                atPath: path, contents: try JSONEncoder().encode(saved), attributes: [.posixPermissions: 0o600])
            guard created else { throw StartFailure("cannot write the sample users", ["path": "\(path)"]) }
        } catch let error as TokenFileError {
            throw StartFailure("cannot make the sample users", ["reason": "\(error)"])
        }
        return saved
    }

    private static func welcome(_ saved: [Saved], at url: String, _ configuration: ServerConfiguration) -> String {
        guard let first = saved.first, let second = saved.dropFirst().first else {
            return "presenced \(Presenced.version) listens at \(url)"
        }
        let path = first.userID.replacingOccurrences(of: "@", with: "%40").replacingOccurrences(of: ":", with: "%3A")
        let names = saved.map(\.userID).joined(separator: ", ")
        return """

            presenced \(Presenced.version) listens at \(url) as \(configuration.serverName).
            Sample users who see each other: \(names)
            (their tokens: \(configuration.dataDirectory)/trial-users.json)

            Say that \(first.userID) is online:
              curl -X PUT '\(url)/_matrix/client/v3/presence/\(path)/status' \\
                -H 'Authorization: Bearer \(first.accessToken)' -d '{"presence":"online","status_msg":"hello"}'

            Watch, as \(second.userID), in another terminal:
              curl -N '\(url)/_matrix/client/unstable/org.presenced/presence/stream' \\
                -H 'Authorization: Bearer \(second.accessToken)'

            Stop with Ctrl-C. Two servers at work: make demo

            """
    }
}
