import ArgumentParser
import MatrixWire
import PresenceModel
import SocialEngine

/// `presenced bridge …`: how it stands with the bridge, and who is linked to whom.
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge", abstract: "See how it stands with the bridge, and change who is linked to whom.",
        discussion: "Asks the running server on the operator's interface (admin.enabled).",
        subcommands: [Status.self, Links.self, Link.self, Unlink.self, User.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how it stands with each social service: connections, sessions, what went each way.")

        @OptionGroup var options: AdminClient.Options

        func run() async throws {
            let answer = try await AdminClient(options).get("bridge")
            BridgeCommand.show(answer, options) { BridgeText.status(answer) }
        }
    }

    struct Links: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List links: user, address, who says so, and whether the user is bridged.",
            discussion: "Links by rule are listed where the user is bridged.")

        @OptionGroup var options: AdminClient.Options

        @Option(help: "At most so many, from 1 to 1000.")
        var limit = 100

        @Option(help: "Begin with this user, in the order of names.")
        var from: String?

        func validate() throws {
            guard (1...1000).contains(limit) else { throw ValidationError("--limit is from 1 to 1000.") }
        }

        func run() async throws {
            let admin = try AdminClient(options)
            var query = [(name: "limit", value: "\(limit)")]
            if let from { query.append((name: "from", value: try BridgeCommand.user(from, at: admin).text)) }
            let answer = try await admin.get("bridge/links", query)
            BridgeCommand.show(answer, options) { BridgeText.links(answer) }
        }
    }

    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Link a user to an address, in the place of what was linked so before.",
            discussion: "What the user proved counts for more: unlink first.")

        @OptionGroup var options: AdminClient.Options

        @Argument(help: "@localpart:server, or the localpart alone.")
        var user: String

        @Argument(help: "Of the social service, usually 0x…")
        var address: String

        func run() async throws {
            let admin = try AdminClient(options)
            let user = try BridgeCommand.user(user, at: admin)
            try await admin.change("PUT", "bridge/links/\(user.pathText)", ["address": .string(address)])
            BridgeCommand.show([:], options) { ["\(user) is linked to \(address)."] }
        }
    }

    struct Unlink: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take back a link that was made by the operator or by the user, and what the user handed over.",
            discussion: "A line of bridge.links_file, and the rule for names, hold on.")

        @OptionGroup var options: AdminClient.Options

        @Argument(help: "@localpart:server, or the localpart alone.")
        var user: String

        func run() async throws {
            let admin = try AdminClient(options)
            let user = try BridgeCommand.user(user, at: admin)
            try await admin.change("DELETE", "bridge/links/\(user.pathText)")
            BridgeCommand.show([:], options) { ["\(user) has no link by the operator or by proof."] }
        }
    }

    struct User: AsyncParsableCommand {
        enum Participation: String, ExpressibleByArgument, CaseIterable {
            case yes, no
            case asConfigured = "default"

            var json: JSONValue {
                switch self {
                case .yes: true
                case .no: false
                case .asConfigured: .null
                }
            }
        }

        static let configuration = CommandConfiguration(
            abstract: "Say how it stands with one user, after choosing for them if wished.")

        @OptionGroup var options: AdminClient.Options

        @Argument(help: "@localpart:server, or the localpart alone.")
        var user: String

        @Option(help: "Whether the user is bridged; default: as bridge.participation has it.")
        var participates: Participation?

        @Option(help: "What friends may see through the bridge.")
        var privacy: SocialPrivacy?

        func run() async throws {
            let admin = try AdminClient(options)
            let user = try BridgeCommand.user(user, at: admin)
            var body = JSONObject()
            if let participates { body["participates"] = participates.json }
            if let privacy { body["privacy"] = .string(privacy.rawValue) }
            if !body.isEmpty { try await admin.change("PUT", "bridge/users/\(user.pathText)", .object(body)) }
            let answer = try await admin.get("bridge/users/\(user.pathText)")
            BridgeCommand.show(answer, options) { BridgeText.user(user.text, answer) }
        }
    }

    fileprivate static func user(_ text: String, at admin: AdminClient) throws -> UserID {
        let full = text.hasPrefix("@") ? text : "@\(text):\(admin.configuration.serverName)"
        guard let user = try? UserID(parsing: full) else {
            throw ValidationError("'\(text)' is not a user: write @localpart:server, or the localpart alone.")
        }
        return user
    }

    fileprivate static func show(_ answer: JSONValue, _ options: AdminClient.Options, _ lines: () -> [String]) {
        if options.json {
            print(String(decoding: CanonicalJSON.encode(answer), as: UTF8.self))
        } else {
            for line in lines() { print(line) }
        }
    }
}

extension UserID {
    fileprivate var pathText: String { PercentEncoding.encode(text) }
}
