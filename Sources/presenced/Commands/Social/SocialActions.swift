import ArgumentParser
import SocialClient
import SocialEngine

// One command for each thing that a user can do about another.
extension SocialCommand {
    struct Request: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a user to be friends; if they asked before, you are friends at once.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whom.")
        var user: SocialAddress

        @Option(help: "What to say with it.")
        var message: String?

        func run() async throws { try await options.act(.request(message: message), towards: user) }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Agree to a user's request.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whose.")
        var user: SocialAddress

        func run() async throws { try await options.act(.accept, towards: user) }
    }

    struct Reject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Decline a user's request.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whose.")
        var user: SocialAddress

        func run() async throws { try await options.act(.reject, towards: user) }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take back a request of your own.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whom you asked.")
        var user: SocialAddress

        func run() async throws { try await options.act(.cancel, towards: user) }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a friendship.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whose.")
        var user: SocialAddress

        func run() async throws { try await options.act(.delete, towards: user) }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End what there is with a user, and hide the two of you from each other.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whom.")
        var user: SocialAddress

        func run() async throws { try await options.act(.block, towards: user) }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take back a block; nobody is friends by that.")

        @OptionGroup var options: SocialOptions

        @Argument(help: "Whom.")
        var user: SocialAddress

        func run() async throws { try await options.act(.unblock, towards: user) }
    }
}

extension SocialOptions {
    fileprivate func act(_ action: FriendshipAction, towards user: SocialAddress) async throws {
        try await run { client in
            let news = try await client.act(action, towards: user)
            print(news)
        }
    }
}
