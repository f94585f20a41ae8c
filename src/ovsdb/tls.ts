/**
 * Keys and certificates of the database's remotes: those of every other connection, too.
 */
export * from '../common/tls.js';
