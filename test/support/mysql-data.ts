/** Every type of data, and everything that is in a database beside its tables. */
export const TYPES = String.raw`
SET SESSION sql_mode = '';
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE DATABASE old_latin CHARACTER SET latin1;
CREATE DATABASE ${"`we/ird: ``na.me``é`"};
CREATE DATABASE nothing;
CREATE TABLE ${"`we/ird: ``na.me``é`"}.${"`-- Dump completed`"} (${"`a``b c`"} INT) ;
INSERT INTO ${"`we/ird: ``na.me``é`"}.${"`-- Dump completed`"} VALUES (1);
CREATE TABLE old_latin.t (a VARCHAR(20)) CHARACTER SET latin1;
INSERT INTO old_latin.t VALUES ('café'), (CONVERT(X'e9ff' USING latin1));
USE shop;
CREATE TABLE numbers (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  tiny TINYINT, small SMALLINT, medium MEDIUMINT, whole INT ZEROFILL, big BIGINT UNSIGNED,
  exact DECIMAL(65,30), single FLOAT, twice DOUBLE, bits BIT(64), flag BOOLEAN
);
INSERT INTO numbers VALUES
  (1, -128, -32768, -8388608, 42, 18446744073709551615, 12345678901234567890.123456789012345678901234567890, 1.17549e-38, 2.2250738585072014e-308, b'1010', TRUE),
  (7, 127, 32767, 8388607, 4294967295, 0, -0.000000000000000000000000000001, 3.40282e38, -1.7976931348623157e308, b'${"1".repeat(64)}', FALSE),
  (9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
ALTER TABLE numbers AUTO_INCREMENT = 1000;
CREATE TABLE times (id INT PRIMARY KEY, d DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL, y YEAR);
INSERT INTO times VALUES
  (1, '0000-00-00', '-838:59:59', '0000-00-00 00:00:00', '1970-01-01 00:00:01.000001', 1901),
  (2, '9999-12-31', '838:59:59.999999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', 2155),
  (3, '2024-02-30', '00:00:00', '2024-00-00 00:00:00', '2024-10-27 02:30:00', 0), (4, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE texts (
  id INT PRIMARY KEY, c CHAR(255), v VARCHAR(1000), t LONGTEXT, e ENUM('a','b''c','d\\e'), s SET('x','y','z'),
  bin BINARY(16), vb VARBINARY(300), bl LONGBLOB, j JSON CHECK (JSON_VALID(j)), u UUID, i INET6
);
INSERT INTO texts VALUES
  (1, 'space ', 'tab\tline\nquote\'"\\ \0 \Z end', '-- Dump completed\n', 'b\'c', 'x,z', X'000102', X'00ff2700', REPEAT(X'00ff5c270a0d1a', 50000), '{"a": [1, "ü😀"]}', UUID(), '::1'),
  (2, '😀 中文', '😀', REPEAT('😀éx', 300000), 'd\\e', '', '', '', '', '[]', NULL, NULL),
  (3, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY NOT NULL, p POINT, SPATIAL INDEX (g));
INSERT INTO shapes VALUES (1, ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 0))'), ST_GeomFromText('POINT(1.5 -2.5)'));
CREATE TABLE computed (a INT, b INT AS (a * 2) VIRTUAL, c INT AS (a + 1) PERSISTENT, d VARCHAR(20) INVISIBLE DEFAULT 'x', KEY (c));
INSERT INTO computed (a) VALUES (1), (2), (3);
CREATE TABLE myisam (id INT PRIMARY KEY, t TEXT, FULLTEXT (t)) ENGINE = MyISAM;
INSERT INTO myisam VALUES (1, 'full text');
CREATE TABLE parts (id INT, KEY (id)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1), (11);
CREATE TABLE versioned (a INT) WITH SYSTEM VERSIONING;
INSERT INTO versioned VALUES (1), (2);
CREATE SEQUENCE numbers_seq START WITH 100 INCREMENT BY 5;
SELECT NEXT VALUE FOR numbers_seq;
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(100));
CREATE TABLE orders (id INT PRIMARY KEY, customer INT NOT NULL, FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE);
CREATE TABLE a_log (n INT);
INSERT INTO customers VALUES (1, 'Alice'), (2, 'Bob');
INSERT INTO orders VALUES (10, 1), (11, 2);
DELIMITER //
CREATE FUNCTION total(factor INT) RETURNS INT READS SQL DATA COMMENT 'semi; colon' BEGIN DECLARE n INT; SELECT COUNT(*) * factor INTO n FROM orders; RETURN n; END//
CREATE PROCEDURE report() BEGIN SELECT 'it''s; here', "-- Dump completed"; -- a comment
END//
CREATE TRIGGER orders_in AFTER INSERT ON orders FOR EACH ROW BEGIN INSERT INTO a_log VALUES (NEW.id); END//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2024-01-01 03:00:00' DO BEGIN DELETE FROM a_log WHERE n < 0; END//
DELIMITER ;
CREATE VIEW z_first AS SELECT id, total(2) AS t FROM orders;
CREATE VIEW m_middle AS SELECT id, name FROM customers;
CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW y_second AS SELECT * FROM m_middle WHERE id > 0 WITH CHECK OPTION;
`;

/** Accounts of several kinds, a role, and views and routines of other people. */
export const USERS =
  String.raw`
CREATE USER 'app'@'%' IDENTIFIED BY 'geheim' WITH MAX_USER_CONNECTIONS 5;
CREATE USER 'o''brien "x" ` +
  "`q`" +
  String.raw`'@'10.0.%' IDENTIFIED BY 'p' REQUIRE SSL;
CREATE USER 'socket_user'@'localhost' IDENTIFIED VIA unix_socket;
CREATE USER 'locked'@'localhost' IDENTIFIED BY 'x' ACCOUNT LOCK;
CREATE ROLE reader;
GRANT SELECT ON shop.* TO reader;
GRANT reader TO 'app'@'%' WITH ADMIN OPTION;
SET DEFAULT ROLE reader FOR 'app'@'%';
GRANT INSERT, UPDATE (name) ON shop.customers TO 'app'@'%';
GRANT EXECUTE ON FUNCTION shop.total TO 'o''brien "x" ` +
  "`q`" +
  String.raw`'@'10.0.%';
GRANT PROCESS ON *.* TO 'app'@'%' WITH GRANT OPTION;
GRANT SELECT, TRIGGER ON shop.* TO 'app'@'%';
USE shop;
CREATE DEFINER = 'app'@'%' VIEW by_app AS SELECT name FROM customers;
CREATE DEFINER = 'app'@'%' VIEW on_by_app AS SELECT name FROM by_app;
`;

/** A hundred databases with a little in each. */
export const MANY = Array.from(
  { length: 100 },
  (_, n) =>
    `CREATE DATABASE many_${n}; CREATE TABLE many_${n}.t (a INT PRIMARY KEY, b TEXT); INSERT INTO many_${n}.t VALUES (${n}, 'row ${n}');`,
).join("\n");
