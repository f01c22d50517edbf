import ArgumentParser
import MatrixWire
import PresenceModel
import SocialClient
import SocialEngine

/// `presenced social …`: a user's friends in a social service, as the user.
struct SocialCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "social", abstract: "See and change friends in a social service, and follow what they do.",
        discussion: """
            Speaks dcl-rpc with this server's social service (social.enabled) or with another one (--url), as the user \
            whose access token is in --token-file or in the variable PRESENCED_TOKEN. Users are addresses, 0x…, or \
            Matrix users, @address:server.
            """,
        subcommands: [
            Friends.self, Requests.self, Request.self, Accept.self, Reject.self, Cancel.self, Delete.self, Block.self,
            Unblock.self, Blocked.self, Privacy.self, Watch.self, Heartbeat.self,
        ])

    struct Friends: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List friends.")

        @OptionGroup var options: SocialOptions

        @Flag(help: "Only those who are online.")
        var online = false

        @Option(help: "Only those who are this user's friends too.")
        var mutual: SocialAddress?

        func validate() throws {
            if online, mutual != nil { throw ValidationError("--online and --mutual do not go together.") }
        }

        func run() async throws {
            try await options.run { client in
                if let mutual {
                    options.print(try await client.mutualFriends(with: mutual))
                } else {
                    options.print(try await online ? client.onlineFriends() : client.friends())
                }
            }
        }
    }

    struct Requests: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List requests that nobody has answered: who asks, and who was asked.")

        @OptionGroup var options: SocialOptions

        func run() async throws {
            try await options.run { client in
                let requests = try await client.requests()
                for request in requests.incoming { options.print(request, "incoming", "from") }
                for request in requests.outgoing { options.print(request, "outgoing", "to") }
            }
        }
    }

    struct Blocked: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List whom you blocked.")

        @OptionGroup var options: SocialOptions

        func run() async throws { try await options.run { options.print(try await $0.blocked()) } }
    }

    struct Privacy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show or choose how much friends see: full, state_only or hidden.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "full: state, position and realm; state_only: the state; hidden: offline.")
        var privacy: SocialPrivacy?

        func run() async throws {
            try await options.run { client in
                if let privacy { try await client.setPrivacy(privacy) }
                let holds = try await client.privacy().rawValue
                options.print(holds, ["privacy": .string(holds)])
            }
        }
    }
}

extension SocialPrivacy: ExpressibleByArgument {}

extension SocialOptions {
    fileprivate func print(_ request: FriendRequest, _ direction: String, _ preposition: String) {
        let message = request.message.map { ": \($0)" } ?? ""
        let since = request.createdAt.dateText
        print(
            "\(preposition) \(request.other), \(since)\(message)",
            [
                "direction": .string(direction), "address": .string(request.other.text),
                "created_at": .string(since), "message": request.message.map { .string($0) } ?? .null,
            ])
    }
}
