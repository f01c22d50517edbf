import PresenceModel

/// Everything an operator can set, with the defaults that hold where nothing is written.
///
/// ``ConfigurationKey/all`` lists the keys with their limits; `Config/presenced.yaml` explains them.
/// Paths are absolute or relative to the working directory once ``ConfigurationReader`` has read them.
struct ServerConfiguration: Hashable, Sendable {
    /// Our Matrix server name. Key `server_name`, required in a file; `localhost` without one.
    var serverName = ServerConfiguration.localhost
    /// The folder of everything that presenced writes. Key `data_directory`.
    var dataDirectory = "./presenced-data"
    var homeserver = Homeserver()
    var client = Client()
    var tokens = Tokens()
    var admin = Admin()
    var federation = Federation()
    var presence = PresenceLimits()
    var lists = Lists()
    var social = Social()
    var bridge = Bridge()
    var store = Store()
    var log = Log()

    /// The token file, below ``dataDirectory`` unless an absolute path was given.
    var tokenFilePath: String { PathText.resolve(tokens.file, in: dataDirectory) }

    /// The file of the operator's token, below ``dataDirectory`` unless an absolute path was given.
    var adminTokenPath: String { PathText.resolve(admin.tokenFile, in: dataDirectory) }

    /// The database, below ``dataDirectory`` unless an absolute path was given.
    var storeFilePath: String { PathText.resolve(store.file, in: dataDirectory) }

    /// The signing key file: as set, or `signing.key` in ``dataDirectory``.
    var signingKeyPath: String { federation.signingKey ?? PathText.resolve("signing.key", in: dataDirectory) }

    private static let localhost: ServerName = {
        guard let name = try? ServerName(parsing: "localhost") else { preconditionFailure("localhost is a name") }
        return name
    }()
}

extension ServerConfiguration {
    /// How busy is written for those who read the field `presence`.
    enum BusyForm: String, Hashable, Sendable, CaseIterable {
        /// `org.matrix.msc3026.busy`.
        case msc3026
        /// `unavailable`, which every reader knows.
        case unavailable
    }

    /// How clients that do not know presenced's own fields are told that nothing is known of a user.
    enum UnknownForm: String, Hashable, Sendable, CaseIterable {
        /// As Synapse does: offline, without an age.
        case offline
        /// 404 to who asks; offline in streams.
        case notFound = "not_found"
        /// `support.feline.msc4042.v1.disabled`.
        case disabled
    }

    /// The section `client`: presence endpoints for clients.
    struct Client: Hashable, Sendable {
        var listen = NetworkAddress(host: "127.0.0.1", port: 8008)
        /// `Access-Control-Allow-Origin: *` on every answer.
        var cors = true
        /// The largest request body, in bytes.
        var bodyLimitBytes = 64 * 1024
        /// Clients may choose `org.matrix.msc3026.busy`.
        var acceptBusy = true
        var busyAs = BusyForm.msc3026
        var unknownAs = UnknownForm.offline
        var streamKeepalive = Duration.seconds(15)
        /// The longest time-out of a long-poll; a longer wish is cut to this.
        var longPollLimit = Duration.seconds(60)
        var rateLimit = RateLimit()
    }

    /// The section `client.rate_limit`: a token bucket per user.
    struct RateLimit: Hashable, Sendable {
        /// Requests per second in the long run; 0 means no limit.
        var perSecond = 0.0
        /// Requests at once after a quiet time.
        var burst = 10
    }

    /// The section `tokens`: access tokens of a server that runs alone.
    struct Tokens: Hashable, Sendable {
        /// As written; ``ServerConfiguration/tokenFilePath`` is where it lies.
        var file = "tokens.json"
    }

    /// The section `presence`: what follows after which time, and how much one user may have.
    struct PresenceLimits: Hashable, Sendable {
        var offlineAfter = Duration.seconds(30)
        var idleAfter = Duration.minutes(5)
        var busyEndsAfter = Duration.hours(1)
        var ageGranularity = Duration.seconds(60)
        /// At most ``StatusText/limitBytes``.
        var statusTextLimitBytes = StatusText.limitBytes
        var devicesPerUser = 32
        var streamsPerUser = 100
        var roomsPerUser = 10_000
        /// Sharing one of these makes nobody visible.
        var excludedRooms: [RoomID] = []
        /// Users who are hidden or offline by choice cause polls while they are connected.
        var hiddenPolls = false
        /// The longest explicit interest; a longer wish is cut to this.
        var interestLimit = Duration.hours(1)
    }

    /// The section `lists`: presence lists and the leave to see somebody.
    struct Lists: Hashable, Sendable {
        /// For users who picked none.
        var policy = ListPolicy.ask
        /// For requests from these servers; deny_all goes before what a user picked.
        var policyByServer: [ServerName: ListPolicy] = [:]
        /// A request is granted where the one asked wants to see the asker.
        var grantMutually = true
        var entriesPerUser = 1000
        var requestsPerUser = 200
        var requestsPerServer = 50
        var consentsPerUser = 5000
        var groupsPerUser = 64
    }

    /// The section `admin`: the operator's interface.
    struct Admin: Hashable, Sendable {
        var enabled = false
        var listen = NetworkAddress(host: "127.0.0.1", port: 8009)
        /// As written; ``ServerConfiguration/adminTokenPath`` is where it lies.
        var tokenFile = "admin.token"
    }

    /// The section `store`: the SQLite database.
    struct Store: Hashable, Sendable {
        /// SQLite's `PRAGMA synchronous`.
        enum Synchronous: String, Hashable, Sendable, CaseIterable {
            /// Survives a power cut at any instant.
            case full
            /// Survives a crash of the process; a power cut may cost the last moments.
            case normal
        }

        /// As written; ``ServerConfiguration/storeFilePath`` is where it lies.
        var file = "presenced.sqlite"
        var synchronous = Synchronous.full
        /// The longest time that derived and remote state stays in memory only.
        var writeBehind = Duration.seconds(1)
    }

    /// The section `log`.
    struct Log: Hashable, Sendable {
        /// The levels of swift-log, by their names.
        enum Level: String, Hashable, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        enum Format: String, Hashable, Sendable, CaseIterable {
            /// One line per message, for people.
            case text
            /// One JSON object per line, for machines.
            case json
        }

        var level = Level.info
        var format = Format.text
    }
}
