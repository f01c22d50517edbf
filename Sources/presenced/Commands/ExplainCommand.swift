import ArgumentParser
import MatrixWire
import PresenceModel

/// `presenced explain USER OBSERVER-OR-SERVER`: why somebody sees a user or does not, in words.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say why somebody sees a user or does not, and what was sent.",
        discussion: """
            Asks the running server on the operator's interface (admin.enabled). Of hidden users it says that they are \
            hidden: it is for the operator's eyes. Status texts are never shown.
            """)

    @OptionGroup var options: AdminClient.Options

    @Argument(help: "Who is to be seen: @localpart:server, or the localpart alone.")
    var user: String

    @Argument(help: "Who sees: @localpart:server; or a server, for anyone there.")
    var other: String

    func run() async throws {
        let admin = try AdminClient(options)
        let full = user.hasPrefix("@") ? user : "@\(user):\(admin.configuration.serverName)"
        guard let user = try? UserID(parsing: full) else {
            throw ValidationError("'\(user)' is not a user: write @localpart:server, or the localpart alone.")
        }
        var query = [(name: "user", value: user.text)]
        if other.hasPrefix("@") {
            guard (try? UserID(parsing: other)) != nil else {
                throw ValidationError("'\(other)' is not a user: write @localpart:server.")
            }
            query.append((name: "observer", value: other))
        } else {
            guard (try? ServerName(parsing: other)) != nil else {
                throw ValidationError("'\(other)' is neither a user, @localpart:server, nor a server name.")
            }
            query.append((name: "server", value: other))
        }
        let answer = try await admin.get("explain", query)
        if options.json {
            print(String(decoding: CanonicalJSON.encode(answer), as: UTF8.self))
        } else {
            for sentence in answer["sentences"]?.array ?? [] { print(sentence["text"]?.string ?? "") }
        }
    }
}
