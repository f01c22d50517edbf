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
    var client = Client()
    var tokens = Tokens()
    var federation = Federation()
    var presence = PresenceLimits()
    var social = Social()
    var store = Store()
    var log = Log()

    /// The token file, below ``dataDirectory`` unless an absolute path was given.
    var tokenFilePath: String { PathText.resolve(tokens.file, in: dataDirectory) }

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
        var watchEntriesPerUser = 1000
    }

    /// The section `social`: read and checked, without effect yet.
    struct Social: Hashable, Sendable {
        var heartbeat = Duration.seconds(30)
        var timeout = Duration.minutes(2)
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
